"""What happened to a record, and work on many, through REST: as on the pages, with the same permissions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict

from core.actor import Actor
from core.errors import Conflict
from core.ids import new_id
from core.jobs.run import run_next
from core.platform import Platform
from core.resources.operation import Operation
from tests.core.doors import Person
from tests.core.library import Book

BOOKS, RUNS = "/api/v1/library/books", "/api/v1/core/bulk"


class Repair(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    copies: int


class Torn(Conflict):
    code = "LIBRARY_TORN_AGAIN"
    sentence = "The book {title} is torn."


def repair(session: Any, actor: Actor, book: Book, values: dict[str, Any]) -> None:
    if book.title == "torn":
        raise Torn(title=book.title)
    book.copies = values["copies"]


@pytest.fixture
def library(site: Platform) -> Iterator[None]:
    """Books can be changed in bulk, and repaired by who decides on loans."""
    resource = site.registry.resources["library.book"].resource
    operation = Operation(
        name="repair", label="Repair", permission="library:loan:decide", run=repair, form=Repair, danger=True
    )
    before = {"bulk": resource.bulk, "operations": resource.operations}
    bound = site.registry.resources["library.book"]
    bound.__dict__.pop("operations", None)
    for name, value in {"bulk": ("copies", "state", "lent"), "operations": (operation,)}.items():
        object.__setattr__(resource, name, value)
    yield
    bound.__dict__.pop("operations", None)
    for name, value in before.items():
        object.__setattr__(resource, name, value)


@pytest.fixture
def admin(people: Callable[..., Person]) -> Person:
    return people("Admin")


def made(person: Person, *titles: str, **values: Any) -> list[str]:
    return [person.post(BOOKS, {"title": title, **values}).json["data"]["id"] for title in titles]


def data(answer: Any, status: int = 200) -> Any:
    assert answer.status_code == status, answer.text
    return answer.json["data"]


def test_the_history_of_a_record(people: Callable[..., Person], admin: Person) -> None:
    [key] = made(admin, "Before", price="12")
    admin.patch(f"{BOOKS}/{key}", {"title": "After", "state": "used"})
    page = admin.get(f"{BOOKS}/{key}/history?limit=1").json
    [newest] = page["data"]
    assert (newest["verb"], newest["actor_id"], newest["actor_kind"]) == ("updated", admin.id, "member")
    assert {one["name"]: (one["before"], one["after"]) for one in newest["fields"]} == {
        "title": ("Before", "After"),
        "state": ("new", "used"),
    }
    [first] = data(admin.get(f"{BOOKS}/{key}/history?cursor={page['meta']['page']['next_cursor']}"))
    assert first["verb"] == "created"
    assert {"name": "price", "before": None, "after": 12, "closed": False} in first["fields"]
    assert admin.get(f"{BOOKS}/{new_id()}/history").status_code == 404
    moderator, member = people("Moderator"), people("User")
    assert len(data(moderator.get(f"{BOOKS}/{key}/history"))) == 2
    refused = member.get(f"{BOOKS}/{key}/history")
    assert refused.status_code == 403 and refused.json["error"]["code"] == "PERMISSION_MISSING"


def test_what_a_reader_may_not_know_is_closed(people: Callable[..., Person]) -> None:
    admin, member = people("Admin"), people("User")
    admin.patch(f"/api/v1/core/members/{member.id}", {"display_name": "Another name"})
    told = data(admin.get(f"/api/v1/core/members/{member.id}/history"))
    assert any(field["after"] == "Another name" for one in told for field in one["fields"])


def test_an_edit_of_many_is_reported_and_taken_back(site: Platform, admin: Person, library: None) -> None:
    ids = made(admin, "one", "two", copies=1)
    body = {"act": "edit", "ids": [*ids, str(new_id())], "values": {"copies": 5}, "expected": 2}
    key = {"Idempotency-Key": str(new_id())}
    run = data(admin.post(f"{BOOKS}/bulk", body, headers=key), 201)
    assert (run["kind"], run["total"], run["over"], run["counts"]["done"]) == ("edit", 2, True, 2)
    assert data(admin.post(f"{BOOKS}/bulk", body, headers=key), 201)["id"] == run["id"]
    assert data(admin.get(f"{RUNS}/{run['id']}"))["id"] == run["id"]
    rows = data(admin.get(f"{RUNS}/{run['id']}/records?state=done"))
    assert {one["key"]: (one["before"], one["after"]) for one in rows} == dict.fromkeys(
        ids, ({"copies": 1}, {"copies": 5})
    )
    admin.patch(f"{BOOKS}/{ids[1]}", {"copies": 7})  # changed again since
    back = data(admin.post(f"{RUNS}/{run['id']}/revert"), 201)
    assert (back["kind"], back["reverts_id"], back["counts"]["done"], back["counts"]["failed"]) == (
        "revert", run["id"], 1, 1,
    )  # fmt: skip
    [left] = data(admin.get(f"{RUNS}/{back['id']}/records?state=failed"))
    assert left["problem"]["code"] == "CHANGED_SINCE" and left["problem"]["message"]
    assert [data(admin.get(f"{BOOKS}/{one}"))["copies"] for one in ids] == [1, 7]
    assert admin.post(f"{RUNS}/{run['id']}/revert").json["error"]["code"] == "NOT_REVERTABLE"


def test_all_that_match_are_done_by_a_job_which_can_be_stopped(site: Platform, admin: Person, library: None) -> None:
    shelf = new_id().int >> 70
    with site.unit_of_work() as session:
        session.add_all(Book(owner_id=admin.member.id, title=f"b{n}", shelf=shelf) for n in range(101))  # type: ignore[union-attr]
    body = {"act": "edit", "all": f"_flt_0_shelf={shelf}&_flt_1_shelf={shelf}", "values": {"lent": True}}
    wrong = admin.post(f"{BOOKS}/bulk", {**body, "expected": 100})
    assert wrong.status_code == 409 and wrong.json["error"]["code"] == "CHOSEN_CHANGED"
    run = data(admin.post(f"{BOOKS}/bulk", body), 201)
    assert (run["total"], run["over"], run["counts"]["waiting"]) == (101, False, 101) and run["job_id"]
    while run_next(site.database):
        pass
    assert data(admin.get(f"{RUNS}/{run['id']}"))["counts"]["done"] == 101
    second = data(admin.post(f"{BOOKS}/bulk", {**body, "values": {"lent": False}}), 201)
    data(admin.post(f"{RUNS}/{second['id']}/cancel"))
    while run_next(site.database):
        pass
    stopped = data(admin.get(f"{RUNS}/{second['id']}"))
    assert stopped["over"] and stopped["counts"]["waiting"] == 101


def test_operations_and_deletion(people: Callable[..., Person], admin: Person, library: None) -> None:
    ids = made(admin, "whole", "torn")
    run = data(admin.post(f"{BOOKS}/bulk", {"act": "repair", "ids": ids, "values": {"copies": 3}}), 201)
    assert (run["kind"], run["operation"], run["counts"]["done"], run["counts"]["failed"]) == (
        "operation", "repair", 1, 1,
    )  # fmt: skip
    [torn] = data(admin.get(f"{RUNS}/{run['id']}/records?state=failed"))
    assert torn["problem"] == {"code": "LIBRARY_TORN_AGAIN", "message": "The book torn is torn."}
    moderator = people("Moderator")
    may = data(moderator.post(f"{BOOKS}/bulk", {"act": "repair", "ids": ids[:1], "values": {"copies": 2}}), 201)
    assert may["counts"]["done"] == 1
    assert moderator.post(f"{BOOKS}/bulk", {"act": "delete", "ids": ids}).status_code == 403
    assert data(admin.post(f"{BOOKS}/bulk", {"act": "delete", "ids": ids}), 201)["counts"]["done"] == 2
    assert admin.get(f"{BOOKS}/{ids[0]}").status_code == 404


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"act": "edit", "values": {"copies": 1}}, 422, "NOTHING_CHOSEN"),
        ({"act": "edit", "all": "_flt_0_shelf=-5&_flt_1_shelf=-5", "values": {"copies": 1}}, 422, "NOTHING_CHOSEN"),
        ({"act": "edit", "ids": ["not an id"], "values": {"copies": 1}}, 422, "NOTHING_CHOSEN"),
        ({"act": "edit", "ids": ["x"], "values": {}}, 422, "NOTHING_TO_CHANGE"),
        ({"act": "edit", "ids": ["x"], "values": {"copies": "many"}}, 422, "INVALID"),
        ({"act": "edit", "ids": ["x"], "values": {"title": "Not in bulk"}}, 422, "INVALID"),
        ({"act": "repair", "ids": ["x"], "values": {"copies": "many"}}, 422, "INVALID"),
        ({"act": "delete", "ids": ["x"], "values": {"copies": 1}}, 422, "INVALID"),
        ({"act": "explode", "ids": ["x"]}, 404, "NOT_FOUND"),
        ({"act": "edit", "ids": ["\x00"], "values": {"copies": 1}}, 422, "INVALID"),
    ],
    ids=["none", "none match", "no key", "no value", "bad value", "not in bulk", "bad form", "too much", "act", "nul"],
)
def test_what_cannot_be_is_refused(admin: Person, library: None, body: dict[str, Any], status: int, code: str) -> None:
    answer = admin.post(f"{BOOKS}/bulk", body)
    assert (answer.status_code, answer.json["error"]["code"]) == (status, code), answer.text


def test_a_run_is_of_who_began_it(people: Callable[..., Person], admin: Person, library: None) -> None:
    run = data(admin.post(f"{BOOKS}/bulk", {"act": "edit", "ids": made(admin, "mine"), "values": {"copies": 2}}), 201)
    other = people("Moderator")
    for method, path in (("GET", ""), ("GET", "/records"), ("POST", "/revert"), ("POST", "/cancel")):
        assert other.open(method, f"{RUNS}/{run['id']}{path}").status_code == 404
    member = people("User")
    assert member.post(f"{BOOKS}/bulk", {"act": "edit", "ids": ["x"], "values": {"copies": 2}}).status_code == 403
