"""Idempotency-Key: one effect and one answer, however often and by however many it is sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import func, select

from core.ids import new_id
from core.platform import Platform
from core.rest.blueprint import RestBlueprint
from core.rest.models import IdempotencyRow
from tests.core import library
from tests.core.doors import Person

STAMPS = "/api/v1/library/stamps"


@pytest.fixture
def label() -> str:
    return str(new_id())


@pytest.fixture
def turnstile() -> Iterator[library.Turnstile]:
    library.turnstile = library.Turnstile()
    yield library.turnstile
    library.turnstile.out.set()


def stamp(person: Person, label: str, key: str | None, outcome: str = "stamped", path: str = STAMPS) -> Any:
    headers = {} if key is None else {"Idempotency-Key": key}
    return person.post(path, {"label": label, "outcome": outcome}, headers=headers)


def stamps(site: Platform, label: str) -> int:
    with site.unit_of_work() as session:
        query = select(func.count()).select_from(library.Stamp).where(library.Stamp.label == label)
        return session.scalar(query) or 0


def kept(site: Platform, key: str) -> int:
    with site.unit_of_work() as session:
        return session.scalar(select(func.count()).select_from(IdempotencyRow).where(IdempotencyRow.key == key)) or 0


def test_the_same_request_again_gets_the_first_answer(
    site: Platform, people: Callable[..., Person], label: str
) -> None:
    user = people("User")
    first, second = stamp(user, label, label), stamp(user, label, label)
    assert (first.status_code, second.status_code) == (201, 201)
    assert second.json["data"] == first.json["data"]
    assert "Idempotent-Replayed" not in first.headers
    assert second.headers["Idempotent-Replayed"] == "true"
    assert stamps(site, label) == 1


def test_a_replay_carries_its_own_request_id(people: Callable[..., Person], label: str) -> None:
    user = people("User")
    first, second = stamp(user, label, label), stamp(user, label, label)
    assert first.json["meta"]["request_id"] != second.json["meta"]["request_id"]
    assert second.json["meta"]["request_id"] == second.headers["X-Request-ID"]


def test_the_order_of_the_fields_does_not_matter(site: Platform, people: Callable[..., Person], label: str) -> None:
    user, headers = people("User"), {"Idempotency-Key": label}
    for body in (f'{{"label": "{label}", "outcome": "stamped"}}', f'{{"outcome":"stamped","label":"{label}"}}'):
        assert user.post(STAMPS, data=body, content_type="application/json", headers=headers).status_code == 201
    assert stamps(site, label) == 1


def test_the_key_for_another_body_is_a_conflict(site: Platform, people: Callable[..., Person], label: str) -> None:
    user = people("User")
    stamp(user, label, label)
    answer = stamp(user, label + "!", label)
    assert (answer.status_code, answer.json["error"]["code"]) == (409, "IDEMPOTENCY_KEY_REUSED")
    assert stamps(site, label + "!") == 0


def test_without_a_key_each_request_has_its_effect(site: Platform, people: Callable[..., Person], label: str) -> None:
    user = people("User")
    stamp(user, label, None)
    stamp(user, label, None)
    assert stamps(site, label) == 2


def test_a_request_during_the_first_is_told_so(
    site: Platform, people: Callable[..., Person], label: str, turnstile: library.Turnstile
) -> None:
    user = people("User")
    with ThreadPoolExecutor() as pool:
        first = pool.submit(stamp, user, label, label, "held")
        assert turnstile.inside.wait(20)
        second = stamp(user, label, label, "held")
        turnstile.out.set()
        assert first.result().status_code == 201
    assert (second.status_code, second.json["error"]["code"]) == (409, "IDEMPOTENCY_IN_PROGRESS")
    assert stamp(user, label, label, "held").headers["Idempotent-Replayed"] == "true"
    assert stamps(site, label) == 1


def test_many_at_once_have_one_effect(site: Platform, people: Callable[..., Person], label: str) -> None:
    user = people("User")
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: stamp(user, label, label), range(12)))
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len({answer.json["data"]["id"] for answer in answers if answer.status_code == 201}) == 1
    assert stamps(site, label) == 1


def test_a_refusal_is_kept_and_its_work_undone(site: Platform, people: Callable[..., Person], label: str) -> None:
    user = people("User")
    first, second = stamp(user, label, label, "refused"), stamp(user, label, label, "refused")
    assert (first.status_code, second.status_code) == (409, 409)
    assert second.json["error"] == first.json["error"]
    assert second.headers["Idempotent-Replayed"] == "true"
    assert stamps(site, label) == 0


def test_a_body_that_is_refused_is_kept_too(people: Callable[..., Person], label: str) -> None:
    user, headers = people("User"), {"Idempotency-Key": label}
    first, second = (user.post(STAMPS, {"label": 5}, headers=headers) for _ in range(2))
    assert (first.status_code, second.status_code) == (422, 422)
    assert second.json["error"] == first.json["error"]
    assert second.headers["Idempotent-Replayed"] == "true"


@pytest.mark.parametrize("body", ["[" * 100_000, '{"label": ', '{"label": ' + "9" * 5000 + "}"])
def test_a_body_that_cannot_be_read_is_refused_under_a_key(
    people: Callable[..., Person], label: str, body: str
) -> None:
    headers = {"Idempotency-Key": label}
    assert people("User").post(STAMPS, data=body, content_type="application/json", headers=headers).status_code == 400


def test_a_mistake_of_ours_is_not_kept_so_that_it_may_be_tried_again(
    site: Platform, people: Callable[..., Person], label: str
) -> None:
    user = people("User")
    assert [stamp(user, label, label, "broken").status_code for _ in range(2)] == [500, 500]
    assert (stamps(site, label), kept(site, label)) == (0, 0)


def test_a_key_is_ones_own(site: Platform, people: Callable[..., Person], label: str) -> None:
    first, second = stamp(people("User"), label, label), stamp(people("User"), label, label)
    assert first.json["data"]["id"] != second.json["data"]["id"]
    assert stamps(site, label) == 2


def test_who_lost_the_permission_gets_no_replay(site: Platform, people: Callable[..., Person], label: str) -> None:
    from core import access

    user = people("User")
    stamp(user, label, label)
    assert user.member is not None
    with site.unit_of_work() as session:
        access.assign(session, user.member.user_id or 0, [])
    assert stamp(user, label, label).status_code == 403


def test_an_answer_without_content_is_replayed(site: Platform, people: Callable[..., Person], label: str) -> None:
    user, path = people("User"), f"{STAMPS}/quiet"
    before = stamps(site, "quiet")
    first, second = (user.post(path, headers={"Idempotency-Key": label}) for _ in range(2))
    assert [(answer.status_code, answer.data) for answer in (first, second)] == [(204, b"")] * 2
    assert stamps(site, "quiet") == before + 1


@pytest.mark.parametrize("key", ["", "x" * 201, "ключ", "a\tb"])
def test_a_key_that_cannot_be_is_refused(people: Callable[..., Person], label: str, key: str) -> None:
    answer = people("User").post(STAMPS, {"label": label}, headers={"Idempotency-Key": key.encode().decode("latin-1")})
    assert (answer.status_code, answer.json["error"]["code"]) == (422, "INVALID")


def test_a_resource_is_created_once(people: Callable[..., Person], label: str) -> None:
    user, headers = people("User"), {"Idempotency-Key": label}
    first, second = (user.post("/api/v1/library/books", {"title": "Once"}, headers=headers) for _ in range(2))
    assert (first.status_code, second.json["data"]) == (201, first.json["data"])
    assert len(user.get("/api/v1/library/books").json["data"]) == 1


def test_a_public_route_takes_no_key() -> None:
    with pytest.raises(TypeError, match="public"):
        RestBlueprint("library").post("/x", public=True, idempotent=True)


@pytest.mark.parametrize("with_key", [True, False])
def test_a_refusal_that_keeps_its_writing_keeps_it_once(
    site: Platform, people: Callable[..., Person], label: str, with_key: bool
) -> None:
    user = people("User")
    first, second = (stamp(user, label, label if with_key else None, "counted") for _time in range(2))
    assert [answer.json["error"]["code"] for answer in (first, second)] == ["LIBRARY_COUNTED"] * 2
    assert second.headers.get("Idempotent-Replayed") == ("true" if with_key else None)
    assert stamps(site, label) == (1 if with_key else 2)
    assert kept(site, label) == with_key
