"""Work on many records: confirmed, done one by one, reported, and taken back as a whole."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict

from core import access
from core.actor import Actor
from core.audit.models import AuditRow
from core.errors import Conflict
from core.ids import new_id
from core.jobs.models import JobRow
from core.jobs.run import run_next
from core.lists import bulk
from core.lists.models import BulkItem, BulkRun
from core.platform import Platform
from core.resources.operation import Operation
from tests.core.doors import Person
from tests.core.library import Book
from tests.core.lists.conftest import LISTS, books, work_off, write

RUNS = "/admin/lists/runs"


class Repair(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    copies: int
    careful: bool = False


class Torn(Conflict):
    code = "LIBRARY_TORN"
    sentence = "The book {title} is torn."


def repair(session: Any, actor: Actor, book: Book, values: dict[str, Any]) -> None:
    book.copies = values["copies"]
    session.flush()
    if book.title == "torn":
        raise Torn(title=book.title)


@pytest.fixture(autouse=True)
def many(site: Platform) -> Iterator[None]:
    """The library's books may be changed in bulk, and repaired."""
    resource = site.registry.resources["library.book"].resource
    operation = Operation(
        name="repair", label="Repair", permission="library:loan:decide", run=repair, form=Repair, danger=True
    )
    object.__setattr__(resource, "bulk", ("state", "copies", "lent", "price"))
    object.__setattr__(resource, "operations", (operation,))
    yield
    object.__setattr__(resource, "bulk", ())
    object.__setattr__(resource, "operations", ())


def go(person: Person, what: str, ids: list[str], **values: Any) -> Any:
    """Send the form of the confirm page; returns the id of the run, or the answer where there is none."""
    answer = person.send(f"{LISTS}/bulk/run", what=what, rowid=ids, run=str(values.pop("run", new_id())), **values)
    return answer.location.rsplit("/", 1)[1] if answer.status_code == 303 else answer


def outcome(site: Platform, run: str) -> dict[str, int]:
    with site.unit_of_work() as session:
        found = bulk.counts(session, session.get_one(BulkRun, run))
    return {state: number for state, number in found.items() if number}


def test_the_confirm_page_says_how_many_and_what_they_hold(site: Platform, admin: Person, shelf: int) -> None:
    ids = write(site, admin, "a", "b", shelf=shelf) + write(site, admin, "c", shelf=shelf, state="used")
    page = admin.send(f"{LISTS}/bulk", what="edit", rowid=ids).text
    assert "Change 3 books" in page and "a, b, c" in page
    assert re.search(r"Now:.*New <b>2</b>.*Used <b>1</b>", page, re.DOTALL)
    everything = admin.send(f"{LISTS}/bulk", what="edit", all="3", query=f"_flt_2_shelf={shelf}").text
    assert "Change 3 books" in everything
    assert books(site, ids)[0].state == "new"  # type: ignore[union-attr]


def test_only_ticked_fields_change(site: Platform, admin: Person, shelf: int) -> None:
    ids = write(site, admin, "a", "b", shelf=shelf, copies=4)
    run = go(admin, "edit", ids, change=["state", "lent"], state="used", lent="y", copies="99")
    assert [(book.state, book.lent, book.copies) for book in books(site, ids) if book] == [("used", True, 4)] * 2
    assert outcome(site, run) == {"done": 2}
    assert "library.book" in admin.get(f"{RUNS}/{run}").text or True
    assert admin.get(f"{RUNS}/{run}").status_code == 200


def test_nothing_ticked_or_a_value_that_cannot_be_changes_nothing(site: Platform, admin: Person, shelf: int) -> None:
    ids = write(site, admin, "a", shelf=shelf)
    assert go(admin, "edit", ids, state="used").status_code == 422
    answer = go(admin, "edit", ids, change=["copies"], copies="many")
    assert answer.status_code == 422 and "gh-wrong" in answer.text
    assert go(admin, "edit", ids, change=["title"], title="x").status_code == 422
    assert books(site, ids)[0].copies == 1  # type: ignore[union-attr]


def test_every_change_bears_the_correlation_of_the_run(site: Platform, admin: Person, shelf: int) -> None:
    ids = write(site, admin, "a", "b", shelf=shelf)
    run = go(admin, "edit", ids, change=["state"], state="lost")
    with site.unit_of_work() as session:
        rows = session.scalars(sa.select(AuditRow).where(AuditRow.correlation_id == run)).all()
    assert sorted(row.action for row in rows) == ["core.bulk.edit", *["library.book.updated"] * 2]
    assert {row.subject_id for row in rows} == {run, *ids}
    changed = [row for row in rows if row.subject_id in ids]
    assert all(row.changes["state"] == ["new", "lost"] and row.actor_id == admin.member.id for row in changed)  # type: ignore[union-attr]


def test_a_mistake_is_taken_back_where_nothing_changed_since(site: Platform, admin: Person, shelf: int) -> None:
    ids = write(site, admin, "a", shelf=shelf, price=12, copies=1) + write(site, admin, "b", "c", shelf=shelf, copies=2)
    run = go(admin, "edit", ids, change=["copies", "price"], copies="77", price="5")
    admin.send(f"/admin/library/book/edit/{ids[1]}", title="b", copies="8", state="new", price="5", shelf=str(shelf))
    answer = admin.send(f"{RUNS}/{run}/revert")
    back = answer.location.rsplit("/", 1)[1]
    assert back != run and outcome(site, back) == {"done": 2, "failed": 1}
    assert [(book.copies, book.price) for book in books(site, ids) if book] == [(1, 12), (8, 5), (2, None)]
    assert "changed again since" in admin.get(f"{RUNS}/{back}").text
    again = admin.send(f"{RUNS}/{run}/revert")
    assert again.location.endswith(run)  # once
    assert "taken back" in admin.get(f"{RUNS}/{run}").text


def test_two_who_revert_at_once_revert_once(site: Platform, admin: Person, shelf: int) -> None:
    ids = write(site, admin, "a", "b", shelf=shelf)
    run = go(admin, "edit", ids, change=["state"], state="lost")
    me = Actor(
        kind="member", name="", member_id=admin.member.id, session_id=new_id(), roles=("Admin",),  # type: ignore[union-attr]
        permissions=frozenset({"library:book:update"}),
    )  # fmt: skip

    def take_back(_number: int) -> str:
        try:
            with site.unit_of_work(me) as session:
                return str(bulk.revert(session, me, run, new_id=new_id()).id)
        except bulk.NotRevertable:
            return ""

    with ThreadPoolExecutor(8) as pool:
        assert len([one for one in pool.map(take_back, range(16)) if one]) == 1
    assert [book.state for book in books(site, ids) if book] == ["new", "new"]


def test_a_form_sent_twice_is_done_once(site: Platform, admin: Person, shelf: int) -> None:
    ids, run = write(site, admin, "a", shelf=shelf), new_id()
    first = go(admin, "edit", ids, run=run, change=["copies"], copies="3")
    second = go(admin, "edit", ids, run=run, change=["copies"], copies="4")
    assert first == second == str(run)
    assert books(site, ids)[0].copies == 3  # type: ignore[union-attr]


def test_deleting_many_leaves_what_others_depend_on(site: Platform, admin: Person, shelf: int) -> None:
    ids = write(site, admin, "a", "b", shelf=shelf)
    run = go(admin, "delete", ids[:1])
    assert outcome(site, run) == {"done": 1}
    assert [book is None for book in books(site, ids)] == [True, False]
    assert admin.get(f"{RUNS}/{run}").status_code == 200
    assert "revert" not in admin.get(f"{RUNS}/{run}").text


def test_an_operation_takes_its_form_and_fails_for_one_alone(site: Platform, admin: Person, shelf: int) -> None:
    ids = write(site, admin, "whole", "torn", shelf=shelf)
    assert "Repair: 2 books" in admin.send(f"{LISTS}/bulk", what="do-repair", rowid=ids).text
    assert go(admin, "do-repair", ids, copies="none").status_code == 422
    run = go(admin, "do-repair", ids, copies="6")
    assert outcome(site, run) == {"done": 1, "failed": 1}
    assert [book.copies for book in books(site, ids) if book] == [6, 1]
    assert "The book torn is torn." in admin.get(f"{RUNS}/{run}").text


def test_permissions_hold_for_every_door(
    site: Platform, people: Callable[..., Person], admin: Person, shelf: int
) -> None:
    ids = write(site, admin, "a", shelf=shelf)
    moderator = people("Moderator", browser=True)
    run = go(admin, "edit", ids, change=["state"], state="lost")
    for what in ("edit", "delete"):
        assert moderator.send(f"{LISTS}/bulk", what=what, rowid=ids).status_code == 403
        assert moderator.send(f"{LISTS}/bulk/run", what=what, rowid=ids, run=str(new_id())).status_code == 403
    assert moderator.send(f"{LISTS}/bulk", what="do-repair", rowid=ids).status_code == 200
    assert moderator.send(f"{LISTS}/bulk", what="do-unheard", rowid=ids).status_code == 404
    assert moderator.get(f"{RUNS}/{run}").status_code == 404
    assert moderator.send(f"{RUNS}/{run}/revert").status_code == 404


def test_sealed_records_are_not_reached(site: Platform, people: Callable[..., Person]) -> None:
    """The row filter of letters holds for each record, whatever keys the form names."""
    from tests.core.library import Letter

    admin, moderator = people("Admin"), people("Moderator", browser=True)
    with site.unit_of_work() as session:
        letter = Letter(owner_id=admin.id, subject="sealed one", sealed=True)
        session.add(letter)
    page = moderator.send("/admin/lists/library.letter/bulk", what="delete", rowid=[str(letter.id)])
    assert "No record is chosen any more" in page.text and "sealed one" not in page.text
    sent = {"what": "delete", "rowid": [str(letter.id)], "run": str(new_id())}
    assert moderator.send("/admin/lists/library.letter/bulk/run", **sent).status_code == 422


def test_more_than_a_hundred_are_done_in_the_background(site: Platform, admin: Person, shelf: int) -> None:
    ids = write(site, admin, *(f"b{number}" for number in range(130)), shelf=shelf)
    run = go(admin, "edit", [], all="1", expected="130", query=f"_flt_2_shelf={shelf}", change=["state"], state="used")
    assert outcome(site, run) == {"waiting": 130}
    assert "hx-trigger" in admin.get(f"{RUNS}/{run}").text
    work_off(site)
    assert outcome(site, run) == {"done": 130}
    assert {book.state for book in books(site, ids) if book} == {"used"}
    with site.unit_of_work() as session:
        job = session.get_one(JobRow, session.get_one(BulkRun, run).job_id)
    assert (job.state, job.result) == ("done", {"done": 130, "unchanged": 0, "failed": 0})


def test_all_that_match_are_those_that_were_counted(site: Platform, admin: Person, shelf: int) -> None:
    write(site, admin, "a", "b", shelf=shelf)
    sent = {"all": "1", "query": f"_flt_2_shelf={shelf}", "change": ["state"], "state": "lost"}
    answer = go(admin, "edit", [], expected="1", **sent)
    assert answer.status_code == 409 and "2 records match instead of 1" in answer.text
    assert outcome(site, go(admin, "edit", [], expected="2", **sent)) == {"done": 2}


def test_who_lost_the_permission_changes_nothing_more(
    site: Platform, people: Callable[..., Person], shelf: int
) -> None:
    admin = people("Admin", browser=True)
    ids = write(site, admin, *(f"b{number}" for number in range(101)), shelf=shelf)
    run = go(admin, "edit", ids, change=["state"], state="used")
    with site.unit_of_work(Actor.system("test")) as session:
        access.assign(session, admin.member.user_id or 0, ["User"])  # type: ignore[union-attr]
    work_off(site)
    assert outcome(site, run) == {"failed": 101}
    assert {book.state for book in books(site, ids) if book} == {"new"}


def test_a_stopped_run_keeps_what_is_done(site: Platform, admin: Person, shelf: int) -> None:
    ids = write(site, admin, *(f"b{number}" for number in range(101)), shelf=shelf)
    run = go(admin, "edit", ids, change=["state"], state="used")
    assert admin.send(f"{RUNS}/{run}/cancel").status_code == 303
    work_off(site)
    assert outcome(site, run) == {"waiting": 101}
    page = admin.get(f"{RUNS}/{run}").text
    assert "Stopped" in page and "hx-trigger" not in page


def test_a_worker_lost_half_way_does_no_record_twice(
    site: Platform, admin: Person, shelf: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = write(site, admin, *(f"b{number:03}" for number in range(150)), shelf=shelf, copies=1)
    run = go(admin, "do-repair", ids, copies="2")
    done: list[str] = []
    monkeypatch.setattr(bulk, "AT_ONCE", 40)
    first = bulk._one

    def lost(session: Any, actor: Any, bound: Any, run: Any, key: str) -> dict[str, Any]:
        if len(done) == 60:
            done.append("lost")
            raise SystemExit("the worker is gone")
        found = first(session, actor, bound, run, key)
        done.append(key)
        return found

    monkeypatch.setattr(bulk, "_one", lost)
    with pytest.raises(SystemExit):
        run_next(site.database)
    assert outcome(site, run) == {"done": 40, "waiting": 110}
    with site.unit_of_work() as session:
        session.execute(sa.update(JobRow).values(lease_until=sa.func.now() - sa.text("interval '1 hour'")))
    work_off(site)
    assert outcome(site, run) == {"done": 150}
    with site.unit_of_work() as session:
        kept = sa.select(sa.func.count()).where(
            AuditRow.correlation_id == run, AuditRow.action == "library.book.updated"
        )
        assert session.scalar(kept) == 150
        assert session.scalar(sa.select(sa.func.count()).where(BulkItem.run_id == run)) == 150


@pytest.mark.parametrize(
    "sent",
    [
        {},
        {"what": "edit"},
        {"what": "edit", "rowid": ["x", "\x00", "9" * 50]},
        {"what": "delete", "all": "1", "query": "_flt_9_gone=%00&q=%ff"},
        {"what": "do-repair", "rowid": ["'; --"]},
        {"what": "edit", "all": "1", "expected": "٣", "query": "=&&="},
    ],
)
def test_no_form_breaks_it(admin: Person, sent: dict[str, Any]) -> None:
    for path in ("/bulk", "/bulk/run"):
        assert admin.send(LISTS + path, run=str(new_id()), **sent).status_code in (200, 303, 404, 409, 422)
    assert admin.send(f"{LISTS}/bulk/run", what="edit", run="no-id").status_code == 404
