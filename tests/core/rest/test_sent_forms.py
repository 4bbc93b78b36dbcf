"""A form that is sent twice makes one record; what was changed, refused or is another's is another form."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select

from core.actor import Actor
from core.clock import frozen, now
from core.comments.models import Comment
from core.ids import new_id
from core.jobs.queue import enqueue
from core.jobs.run import run_next
from core.members.models import Member
from core.platform import Platform
from core.rest.models import IdempotencyRow
from tests.core.doors import Person
from tests.core.fab.test_record_forms import BASE, form_of, rows
from tests.core.library import Book

SYSTEM = Actor.system("test")


@pytest.fixture
def admin(people: Callable[..., Person]) -> Person:
    return people("Admin", browser=True)


def test_a_form_sent_twice_makes_one_record_and_says_the_same(site: Platform, admin: Person) -> None:
    title = f"Twice {new_id()}"
    sent = form_of(admin, f"{BASE}/add") | {"title": title}
    answers = [admin.post(f"{BASE}/add", data=sent) for _ in range(2)]
    assert [one.status_code // 100 for one in answers] == [3, 3]
    assert answers[0].location == answers[1].location and rows(site, title) == 1
    assert admin.get(answers[1].location).text.count("Book created.") == 2  # once for each that was never shown
    changed = admin.post(f"{BASE}/add", data={**sent, "shelf": "9"})  # gone back, changed and sent
    assert changed.location != answers[0].location and rows(site, title) == 2
    again = admin.post(f"{BASE}/add", data=form_of(admin, f"{BASE}/add") | {"title": title})
    assert again.location != answers[0].location and rows(site, title) == 3


def test_sixteen_at_once_make_one_record(site: Platform, web: Flask, admin: Person) -> None:
    title = f"At once {new_id()}"
    sent = form_of(admin, f"{BASE}/add") | {"title": title}
    with admin.http.session_transaction() as cookie:
        kept = dict(cookie)

    def send(_number: int) -> Any:
        http = web.test_client()
        with http.session_transaction() as mine:
            mine.update(kept)
        return http.post(f"{BASE}/add", data=sent)

    with ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(send, range(16)))
    assert len({one.location for one in answers}) == 1 and answers[0].location
    assert rows(site, title) == 1


def test_what_was_refused_may_be_sent_again(site: Platform, admin: Person) -> None:
    title, isbn = f"Refused {new_id()}", str(new_id())[:20]
    with site.unit_of_work(SYSTEM) as session:
        other = Book(owner_id=admin.member.id, title="It has the number", isbn=isbn)  # type: ignore[union-attr]
        session.add(other)
    sent = form_of(admin, f"{BASE}/add") | {"title": title, "isbn": isbn}
    assert admin.post(f"{BASE}/add", data=sent).status_code == 200 and rows(site, title) == 0
    with site.unit_of_work(SYSTEM) as session:
        session.delete(session.get_one(Book, other.id))
    assert admin.post(f"{BASE}/add", data=sent).status_code == 302 and rows(site, title) == 1


def test_a_token_is_its_senders_alone(site: Platform, people: Callable[..., Person], admin: Person) -> None:
    title, token = f"Mine {new_id()}", str(new_id())
    for person in (admin, people("Admin", browser=True)):
        assert person.send(f"{BASE}/add", title=title, copies="1", state="new", extras="{}", _once=token).location
    assert rows(site, title) == 2


def test_pages_that_make_something_are_guarded_too(
    site: Platform, people: Callable[..., Person], admin: Person
) -> None:
    name, about = f"Double {new_id()}", people("User")
    values = {"display_name": name, "role": ["User"], "_once": str(new_id())}
    answers = [admin.send("/admin/members/new", **values) for _ in range(2)]
    assert answers[0].location == answers[1].location
    place, said = f"/admin/core/member/comments/{about.id}", {"text": "Said once", "_once": str(new_id())}
    assert {admin.send(place, **said).location for _ in range(2)} == {place}
    with site.unit_of_work() as session:
        assert session.scalar(select(func.count()).select_from(Member).where(Member.display_name == name)) == 1
        assert session.scalar(select(func.count()).select_from(Comment).where(Comment.subject_id == about.id)) == 1


def test_a_form_is_forgotten_after_a_day_and_a_key_is_not(site: Platform, admin: Person) -> None:
    assert admin.post(f"{BASE}/add", data=form_of(admin, f"{BASE}/add") | {"title": "Soon forgotten"}).location
    mine = select(func.count()).select_from(IdempotencyRow).where(IdempotencyRow.scope.contains(admin.id))
    with site.unit_of_work(SYSTEM) as session:
        kept = IdempotencyRow(scope=f"{admin.id}:POST /x", key="k", fingerprint=b"", status=201, body={})
        session.add(kept)
        enqueue(session, SYSTEM, "core.sweep_answers")
    with site.unit_of_work() as session:
        assert session.scalar(mine) == 2
    with frozen(now() + timedelta(days=1, minutes=1)):
        while run_next(site.database):
            pass
    with site.unit_of_work() as session:
        assert session.scalar(mine) == 1
