"""A record's history as its pages tell it, and the way back: a change undone, a deleted record brought back."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from core.actor import Actor
from core.audit.models import AuditRow
from core.events.models import EventRow
from core.history import reading
from core.history.values import Closed
from core.ids import new_id
from core.platform import Platform
from tests.core.doors import Person
from tests.core.fab.test_record_forms import book_of, form_of
from tests.core.library import Author, Book, Note

BASE = "/admin/library/book"


@pytest.fixture
def admin(people: Callable[..., Person]) -> Person:
    return people("Admin", browser=True, name="Ada Adams")


def made(admin: Person, **values: Any) -> str:
    """A book that the admin entered."""
    sent = form_of(admin, f"{BASE}/add") | {"title": "A book", "copies": "1", **values}
    answer = admin.post(f"{BASE}/add", data=sent)
    assert answer.status_code == 302, answer.text
    return str(answer.location.rsplit("/", 1)[1])


def changed(admin: Person, key: str, **values: str) -> None:
    answer = admin.post(f"{BASE}/edit/{key}", data=form_of(admin, f"{BASE}/edit/{key}") | values)
    assert answer.status_code == 302


def rows_of(site: Platform, key: str) -> list[AuditRow]:
    with site.unit_of_work() as session:
        return list(session.scalars(select(AuditRow).where(AuditRow.subject_id == key).order_by(AuditRow.id)))


def plain(page: Any) -> str:
    """What a person reads."""
    body = re.search(r"<main.*?</main>", page.text, re.S)
    text = re.sub(r"<[^>]+>", " ", body[0] if body else page.text)
    return html.unescape(re.sub(r"\s+", " ", text))


def undo_form(page: Any) -> dict[str, Any]:
    """What a browser would send of a preview: the ticked fields and the token."""
    token = re.search(r'name="token" value="(\w+)"', page.text)
    ticked = re.findall(r'name="field" value="(\w+)"[^>]*checked', page.text)
    return {"token": token[1] if token else "", "field": ticked}


def test_history_tells_who_changed_what_before_and_after(site: Platform, admin: Person) -> None:
    with site.unit_of_work() as session:
        session.add(author := Author(name=f"Ursula {new_id().hex[-6:]}"))
    key = made(admin, price="1000")
    changed(admin, key, title="A better book", price="12500", author_id=str(author.id), state="lost")
    told = plain(admin.get(f"{BASE}/history/{key}"))
    assert re.search("Changed (AA )?Ada Adams.*Created (AA )?Ada Adams", told)
    for said in ("A book", "A better book", "1,000", "12,500", author.name, "Lost"):
        assert said in told, said
    assert str(author.id) not in told


def test_long_texts_are_told_as_a_diff(admin: Person) -> None:
    lines = [f"line {number}" for number in range(40)]
    key = made(admin, about="\r\n".join(lines), extras='{"a": 1, "b": [1, 2]}')
    lines[20] = "another line"
    changed(admin, key, about="\r\n".join(lines), extras='{"a": 1, "b": [1, 3]}')
    page = admin.get(f"{BASE}/history/{key}").text
    assert "<del>line 20</del><ins>another line</ins>" in page
    assert "line 5" not in page.split("Created")[0] and "⋯" not in page.split("Created")[0]
    assert re.search(r"<del>    2</del><ins>    3</ins>", page)


def test_what_somebody_typed_stays_text(admin: Person) -> None:
    key = made(admin, about="<script>alert(1)</script>\r\nfirst")
    changed(admin, key, about="<script>alert(2)</script>\r\nfirst", title="<img src=x onerror=y>")
    page = admin.get(f"{BASE}/history/{key}").text
    assert "<script>alert" not in page and "<img src=x" not in page
    assert "&lt;script&gt;alert(2)" in page


def test_history_is_paged(site: Platform, admin: Person) -> None:
    key = made(admin)
    with site.unit_of_work(Actor.system("counter")) as session:
        book = session.get_one(Book, UUID(key))
        for number in range(30):
            book.copies = number + 2
            session.flush()
    first = admin.get(f"{BASE}/history/{key}").text
    further = re.search(r'href="([^"]*cursor=[^"]+)"', first)
    assert further and first.count('class="gh-change"') == 25
    second = admin.get(html.unescape(further[1])).text
    assert second.count('class="gh-change"') == 6 and "Created" in second


def test_a_change_is_undone_by_one_audited_update_with_its_reason(site: Platform, admin: Person) -> None:
    key = made(admin, price="1000", isbn=f"i-{new_id().hex[-10:]}")
    changed(admin, key, title="Wrong", price="999999")
    wrong = rows_of(site, key)[-1]
    page = admin.get(f"{BASE}/history/{key}/{wrong.id}")
    assert {"A book", "Wrong", "1,000", "999,999"} <= set(re.findall(r"A book|Wrong|999,999|1,000", plain(page)))
    sent = undo_form(page)
    assert sorted(sent["field"]) == ["price", "title"]
    assert book_of(site, key).title == "Wrong"  # a preview changes nothing
    answer = admin.send(f"{BASE}/history/{key}/{wrong.id}", **sent, reason="Typed into the wrong record")
    assert answer.location == f"{BASE}/history/{key}"
    book = book_of(site, key)
    assert (book.title, book.price) == ("A book", 1000)
    last = rows_of(site, key)[-1]
    assert (last.action, last.reason) == ("library.book.updated", "Typed into the wrong record")
    assert (sorted(last.changes), last.changes["price"]) == (["price", "title"], [999999, 1000])
    assert "Typed into the wrong record" in admin.get(answer.location).text


def test_a_field_that_changed_again_is_shown_and_left_unless_ticked(site: Platform, admin: Person) -> None:
    key = made(admin, price="1000")
    changed(admin, key, title="Wrong", price="2000")
    wrong = rows_of(site, key)[-1]
    changed(admin, key, price="3000")
    page = admin.get(f"{BASE}/history/{key}/{wrong.id}")
    assert "Changed since" in page.text and "were changed again since, last by" in plain(page)
    sent = undo_form(page)
    assert sent["field"] == ["title"]
    admin.send(f"{BASE}/history/{key}/{wrong.id}", **sent, reason="x")
    assert (book_of(site, key).title, book_of(site, key).price) == ("A book", 3000)


def test_what_changes_under_a_preview_is_not_overwritten(site: Platform, admin: Person) -> None:
    key = made(admin)
    changed(admin, key, title="Wrong")
    wrong = rows_of(site, key)[-1]
    sent = undo_form(admin.get(f"{BASE}/history/{key}/{wrong.id}"))
    changed(admin, key, title="Right by now")
    refused = admin.send(f"{BASE}/history/{key}/{wrong.id}", **sent, reason="x")
    assert refused.status_code == 200 and "Somebody has changed this record since you looked" in refused.text
    assert book_of(site, key).title == "Right by now"


def test_what_no_longer_fits_says_why(site: Platform, admin: Person) -> None:
    isbn = f"i-{new_id().hex[-10:]}"
    key = made(admin, isbn=isbn)
    changed(admin, key, isbn="", title="Renamed")
    taken = rows_of(site, key)[-1]
    made(admin, isbn=isbn, title="The other")
    page = admin.get(f"{BASE}/history/{key}/{taken.id}")
    assert "There is already one with the same isbn" in page.text
    assert book_of(site, key).title == "Renamed"


def test_undoing_takes_a_reason_a_field_and_the_permission(
    site: Platform, admin: Person, people: Callable[..., Person]
) -> None:
    key = made(admin)
    changed(admin, key, title="Wrong")
    wrong = rows_of(site, key)[-1]
    sent = undo_form(admin.get(f"{BASE}/history/{key}/{wrong.id}"))
    path = f"{BASE}/history/{key}/{wrong.id}"
    assert "Say why" in admin.send(path, **sent, reason=" ").text
    assert "Choose at least one field" in admin.send(path, token=sent["token"], reason="x").text
    moderator = people("Moderator", browser=True)
    assert moderator.get(f"{BASE}/history/{key}").status_code == 200
    assert moderator.get(path).status_code == moderator.send(path, **sent, reason="x").status_code == 403
    assert people("User").get(f"{BASE}/history/{key}").status_code == 403
    assert book_of(site, key).title == "Wrong"
    created = rows_of(site, key)[0]
    assert admin.get(f"{BASE}/history/{key}/{created.id}").status_code == 409
    other = rows_of(site, made(admin))[0]
    assert admin.get(f"{BASE}/history/{key}/{other.id}").status_code == 404


def test_a_deleted_record_is_shown_with_what_it_was_and_brought_back(site: Platform, admin: Person) -> None:
    title = f"Torn {new_id().hex[-8:]}"
    key = made(admin, title=title, price="77", extras='{"a": [1, null]}')
    deletion = admin.get(f"{BASE}/deletion/{key}")
    assert "Nothing refers to this record" in deletion.text
    assert admin.send(f"{BASE}/delete/{key}").location == f"{BASE}/deletion/{key}"  # not without a reason
    before = book_of(site, key)
    admin.send(f"{BASE}/delete/{key}", reason="Torn by a dog")
    assert "Bring it back" in admin.get(f"{BASE}/list/").text
    told = admin.get(f"{BASE}/deleted/").text
    assert title in told and "Torn by a dog" in told
    [gone] = [row for row in rows_of(site, key) if row.action.endswith("deleted")]
    page = admin.get(f"{BASE}/deleted/{gone.id}").text
    assert title in page and "77" in page
    answer = admin.send(f"{BASE}/deleted/{gone.id}", reason="It was the wrong dog")
    assert answer.location == f"{BASE}/show/{key}"
    after = book_of(site, key)
    keys = [one.key for one in Book.__table__.columns]
    assert {one: getattr(after, one) for one in keys} == {one: getattr(before, one) for one in keys}
    with site.unit_of_work() as session:
        said = select(EventRow.name).where(EventRow.payload["id"].astext == key).order_by(EventRow.id)
        assert list(session.scalars(said))[-1] == "library.book.created"
    assert rows_of(site, key)[-1].reason == "It was the wrong dog"
    assert title not in admin.get(f"{BASE}/deleted/").text
    twice = admin.send(f"{BASE}/deleted/{gone.id}", reason="again")
    assert twice.status_code == 200 and "is there; there is nothing to bring back" in twice.text


def test_of_many_who_bring_a_record_back_at_once_one_does(
    site: Platform, admin: Person, people: Callable[..., Person]
) -> None:
    key = made(admin)
    admin.send(f"{BASE}/delete/{key}", reason="x")
    gone = rows_of(site, key)[-1]
    everybody = [people("Admin", browser=True) for _ in range(8)]
    assert all(one.csrf for one in everybody)
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda one: one.send(f"{BASE}/deleted/{gone.id}", reason="back"), everybody))
    assert sorted(answer.status_code for answer in answers) == [200] * 7 + [302]
    assert [row.action for row in rows_of(site, key)].count("library.book.created") == 2


def test_a_record_that_hangs_together_with_others_is_not_brought_back(site: Platform, admin: Person) -> None:
    key = f"n-{new_id().hex[-10:]}"
    with site.unit_of_work() as session:
        session.add(Note(key=key, body="Gone soon"))
    admin.send(f"/admin/library/note/delete/{key}", reason="x")
    [*_, gone] = rows_of(site, key)
    page = admin.get(f"/admin/library/note/deleted/{gone.id}").text
    assert "Gone soon" in page and "Make it anew" in page
    assert "hang together" in admin.send(f"/admin/library/note/deleted/{gone.id}", reason="x").text


def test_what_depends_on_a_record_is_counted_before_it_is_deleted(site: Platform, admin: Person) -> None:
    with site.unit_of_work() as session:
        session.add(author := Author(name=str(new_id())))
    made(admin, author_id=str(author.id))
    page = admin.get(f"/admin/library/author/deletion/{author.id}").text
    assert "Forbid it" in page and "Books" in page and 'name="reason"' not in page


def test_who_may_not_know_of_every_record_sees_no_deleted_ones(people: Callable[..., Person]) -> None:
    assert people("Moderator").get("/admin/library/letter/deleted/").status_code == 403
    assert people("Admin").get("/admin/library/letter/deleted/").status_code == 200


def test_history_names_who_acted_as_somebody_else_and_masks_what_is_personal(
    site: Platform, admin: Person, people: Callable[..., Person]
) -> None:
    bo = people("User", name="Bo Berg")
    key = made(admin, title="A secret title", price="1000")
    assert bo.member is not None and admin.member is not None
    acting = Actor(kind="member", name="Bo Berg", member_id=bo.member.id, impersonator=admin.member.id)
    with site.unit_of_work(acting) as session:
        session.get_one(Book, UUID(key)).price = 77
    told = plain(admin.get(f"{BASE}/history/{key}"))
    assert re.search(r"Changed (BB )?Bo Berg by Ada Adams, acting as them", told)
    blind = Actor(kind="member", name="x", permissions=frozenset({"core:history:show", "library:book:show"}))
    with site.unit_of_work(blind) as session:
        bound = session.info["registry"].resources["library.book"]
        created = reading.changes(session, blind, bound, key, limit=5).items[-1]
        values = {one.key: one.after for one in created.differences}
    assert (values["title"], values["price"]) == (Closed.MASKED, 1000)


def test_a_preview_writes_nothing_and_publishes_nothing(site: Platform, admin: Person) -> None:
    key = made(admin)
    changed(admin, key, title="Wrong")
    before = (len(rows_of(site, key)), said(site, key))
    admin.get(f"{BASE}/history/{key}/{rows_of(site, key)[-1].id}")
    assert (len(rows_of(site, key)), said(site, key)) == before


def said(site: Platform, key: str) -> int:
    with site.unit_of_work() as session:
        return len(session.scalars(select(EventRow.id).where(EventRow.payload["id"].astext == key)).all())
