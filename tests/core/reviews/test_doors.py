"""The inbox in the browser and over REST."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import pytest

from core.actor import Actor
from core.ids import new_id
from core.platform import Platform
from core.reviews import service
from core.reviews.models import Review
from tests.core.doors import Person

SYSTEM = Actor.system("test")


@pytest.fixture
def ask(site: Platform) -> Callable[..., UUID]:
    def ask(title: str = "A loan of ten books", kind: str = "library.loan", **params: object) -> UUID:
        with site.unit_of_work(SYSTEM) as session:
            return service.open_review(session, SYSTEM, kind, subject_id=new_id(), title=title, params=params)

    return ask


def state(site: Platform, key: UUID) -> str:
    with site.unit_of_work() as session:
        return session.get_one(Review, key).state


def test_a_moderator_finds_a_case_and_decides_it(
    site: Platform, people: Callable[..., Person], ask: Callable[..., UUID]
) -> None:
    key, title = ask(f"Loan {new_id()}"), ""
    with site.unit_of_work() as session:
        title = session.get_one(Review, key).title
    moderator = people("Moderator", browser=True)
    assert title in moderator.get("/admin/reviews").text
    assert title in moderator.get(f"/admin/reviews/{key}").text
    answer = moderator.send(f"/admin/reviews/{key}/decide", decision="approve")
    assert answer.status_code == 303
    assert state(site, key) == "approved"
    assert title in moderator.get("/admin/reviews?view=decided").text
    moderator.send(f"/admin/reviews/{key}/decide", decision="approve")
    assert "It is never decided twice." in moderator.get(f"/admin/reviews/{key}").text


def test_a_whole_round_of_a_case_leaves_its_marks(
    site: Platform, people: Callable[..., Person], ask: Callable[..., UUID]
) -> None:
    key, moderator = ask(), people("Moderator", browser=True)
    assert moderator.send(f"/admin/reviews/{key}/claim").status_code == 303
    assert moderator.send(f"/admin/reviews/{key}/release").status_code == 303
    assert moderator.send(f"/admin/reviews/{key}/note", text="Asked for a receipt").status_code == 303
    assert moderator.send(f"/admin/reviews/{key}/escalate", reason="Too big for me").status_code == 303
    page = moderator.get(f"/admin/reviews/{key}").text
    assert "Asked for a receipt" in page
    assert "Too big for me" in page


@pytest.mark.parametrize(
    ("act", "values"),
    [
        ("decide", {"decision": "reject"}),
        ("decide", {"decision": "reject", "reason": "x" * 501}),
        ("escalate", {}),
        ("note", {"text": " "}),
        ("assign", {"assignee_id": "nobody"}),
        ("assign", {}),
        ("assign", {"assignee_id": str(new_id())}),
    ],
)
def test_what_is_refused_is_told_and_the_case_stays_open(
    site: Platform, people: Callable[..., Person], ask: Callable[..., UUID], act: str, values: dict[str, str]
) -> None:
    key, moderator = ask(), people("Moderator", browser=True)
    answer = moderator.send(f"/admin/reviews/{key}/{act}", **values)
    assert answer.status_code in (303, 422)
    assert state(site, key) == "open"


def test_many_that_are_no_cases_are_passed_over(people: Callable[..., Person]) -> None:
    moderator = people("Moderator", browser=True)
    sent = {"decision": "approve", "case": ["", "nobody", str(new_id())]}
    assert moderator.send("/admin/reviews/bulk", **sent).status_code == 303


def test_many_are_decided_at_once_and_each_for_itself(
    site: Platform, people: Callable[..., Person], ask: Callable[..., UUID]
) -> None:
    good, worn, other = ask(), ask(worn=True), ask()
    moderator = people("Moderator", browser=True)
    moderator.send("/admin/reviews/bulk", decision="approve", case=[str(good), str(worn), str(other)])
    assert [state(site, key) for key in (good, worn, other)] == ["approved", "open", "approved"]
    assert "The stamp is worn." in moderator.get("/admin/reviews").text


def test_a_rest_client_reads_takes_and_decides(
    site: Platform, people: Callable[..., Person], ask: Callable[..., UUID]
) -> None:
    key, moderator = ask(), people("Moderator")
    path = f"/api/v1/core/reviews/{key}"
    assert moderator.get(path).json["data"]["state"] == "open"
    assert moderator.post(f"{path}/claim", {}).status_code == 200
    mine = moderator.get("/api/v1/core/reviews?view=mine").json["data"]
    assert [one["id"] for one in mine] == [str(key)]
    assert moderator.post(f"{path}/notes", {"text": "Looks right"}).status_code == 201
    assert moderator.get(f"{path}/notes").json["data"][0]["text"] == "Looks right"
    refused = moderator.post(f"{path}/decide", {"approved": False})
    assert (refused.status_code, refused.json["error"]["code"]) == (422, "REASON_NEEDED")
    once = {"Idempotency-Key": str(new_id())}
    for _time in range(2):
        decided = moderator.post(f"{path}/decide", {"approved": True}, headers=once)
        assert (decided.status_code, decided.json["data"]["state"]) == (200, "approved")


def test_kinds_one_may_not_decide_stay_unseen(people: Callable[..., Person], ask: Callable[..., UUID]) -> None:
    key = ask(kind="library.purchase")
    moderator = people("Moderator")
    assert moderator.get(f"/api/v1/core/reviews/{key}").status_code == 404
    assert moderator.get("/api/v1/core/reviews?kind=library.purchase").json["data"] == []
    assert people("User").get("/api/v1/core/reviews").status_code == 403


def test_a_case_is_passed_on_to_anybody_who_may_decide_it_however_many_they_are(
    site: Platform, people: Callable[..., Person], ask: Callable[..., UUID]
) -> None:
    moderator = people("Moderator", browser=True)
    early = [people("Moderator", name=f"Aaron {number:02}") for number in range(52)]
    last, user = people("Moderator", name="Zora the last"), people("User", name="Zora the reader")
    key = ask()
    page = moderator.get(f"/admin/reviews/{key}").text
    assert f'data-lookup="/admin/reviews/{key}/deciders"' in page and "Zora" not in page
    found = {one["value"]: one["text"] for one in moderator.get(f"/admin/reviews/{key}/deciders?q=zOra").json}
    assert (found.get(last.id), user.id in found) == ("Zora the last", False)
    assert len(moderator.get(f"/admin/reviews/{key}/deciders").json) == 50
    assert moderator.get(f"/admin/reviews/{key}/deciders?q=%25%00_").json == []
    assert moderator.send(f"/admin/reviews/{key}/assign", assignee_id=last.id).status_code == 303
    with site.unit_of_work() as session:
        row = session.get_one(Review, key)
        assert row.assignee_id == UUID(last.id)
        row.member_id = UUID(early[0].id)
    names = {one["value"] for one in moderator.get(f"/admin/reviews/{key}/deciders?q=aaron 0").json}
    assert early[0].id not in names and early[1].id in names
    assert moderator.get(f"/admin/reviews/{key}/deciders?q=zora").json == []  # has it already
    browser = people("User", browser=True)
    assert browser.get(f"/admin/reviews/{key}/deciders").status_code == 403
