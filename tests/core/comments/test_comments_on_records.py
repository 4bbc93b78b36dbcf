"""Comments on records: plain text made safe, mentions that are told, files that stay private, and who sees what."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, update

from core.actor import Actor
from core.audit.models import AuditRow
from core.clock import now
from core.comments.models import Comment
from core.comments.text import as_html
from core.events.models import EventRow
from core.files.models import StoredFile
from core.ids import new_id
from core.platform import Platform
from core.privacy import erase, export
from core.privacy.models import Erasure
from tests.core.doors import Person
from tests.core.library import Author, Book

SYSTEM = Actor.system("test")
PNG_TEXT = b"What the shop wrote back."


@pytest.fixture
def admin(people: Callable[..., Person]) -> Person:
    return people("Admin", browser=True, name="Ada Adams")


@pytest.fixture
def author(site: Platform) -> str:
    """A record that is about nobody."""
    with site.unit_of_work(SYSTEM) as session:
        session.add(one := Author(name=f"Ursula {new_id().hex[-8:]}"))
    return f"/admin/library/author/comments/{one.id}"


@pytest.fixture
def book(site: Platform, people: Callable[..., Person]) -> tuple[str, Person]:
    """A record that is about a member, and that member."""
    owner = people("Admin", browser=True, name="Olga Owner")
    with site.unit_of_work(SYSTEM) as session:
        session.add(one := Book(owner_id=owner.id, title="Lent out"))
    return f"/admin/library/book/comments/{one.id}", owner


def rows(site: Platform, place: str) -> list[Comment]:
    with site.unit_of_work() as session:
        mine = select(Comment).where(Comment.subject_id == place.rsplit("/", 1)[1]).order_by(Comment.id)
        return list(session.scalars(mine))


def events(site: Platform, comment: Comment) -> list[dict[str, Any]]:
    with site.unit_of_work() as session:
        about = EventRow.name == "core.comment.made", EventRow.payload["comment_id"].astext == str(comment.id)
        return list(session.scalars(select(EventRow.payload).where(*about).order_by(EventRow.id)))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<b>&", "&lt;b&gt;&amp;"),
        (
            "see https://example.org/a?b=1&c=2.",
            'see <a href="https://example.org/a?b=1&amp;c=2" rel="noopener noreferrer nofollow" target="_blank">'
            "https://example.org/a?b=1&amp;c=2</a>.",
        ),
        ("javascript:alert(1) JaVaScRiPt:x", "javascript:alert(1) JaVaScRiPt:x"),
        ('https://x.example/"onmouseover="y', None),
        ("ftp://example.org file:///etc/passwd", "ftp://example.org file:///etc/passwd"),
    ],
)
def test_text_is_text_and_links_are_safe(text: str, shown: str | None) -> None:
    made = str(as_html(text, {}))
    assert made == shown if shown is not None else ("onmouseover=" not in re.findall(r"<[^>]*>", made)[0])


def test_a_comment_is_counted_and_told_without_its_text(site: Platform, admin: Person, author: str) -> None:
    answer = admin.send(author, text="The shop <owner> wrote: https://shop.example/7")
    assert answer.location == author
    page = admin.get(author).text
    assert "The shop &lt;owner&gt; wrote" in page and 'href="https://shop.example/7"' in page
    details = admin.get(author.replace("comments", "show")).text
    assert re.search(r'Comments<b class="gh-count">1</b>', details)
    [comment] = rows(site, author)
    [event] = events(site, comment)
    assert event["mentions"] == [] and "shop" not in str(event)
    with site.unit_of_work() as session:
        trail = session.scalars(select(AuditRow).where(AuditRow.subject_id == str(comment.id))).all()
    assert [row.action for row in trail] == ["core.comment.made"] and "shop" not in str(trail[0].changes)


def test_a_mention_tells_staff_alone_and_keeps_their_present_name(
    site: Platform, admin: Person, author: str, people: Callable[..., Person]
) -> None:
    bo, user = people("Moderator", name="Bo Berg"), people("User", name="Uma User")
    found = admin.get(f"{author}/people?q=be").json
    assert {"value": bo.id, "text": "Bo Berg"} in found
    assert user.id not in str(admin.get(f"{author}/people?q=um").json)
    admin.send(author, text="@Bo Berg and @Uma User, please look", mention=[bo.id, user.id, "x", str(new_id())])
    [comment] = rows(site, author)
    assert comment.text == f"@[{bo.id}] and @Uma User, please look"
    [event] = events(site, comment)
    assert event["mentions"] == [bo.id] and event["url"] == f"{author}#comment-{comment.id}"
    assert '<span class="gh-mention">@Bo Berg</span>' in admin.get(author).text


def test_ones_own_is_changed_for_fifteen_minutes(
    site: Platform, admin: Person, author: str, people: Callable[..., Person]
) -> None:
    bo = people("Admin", browser=True, name="Bo Berg")
    admin.send(author, text="First")
    [comment] = rows(site, author)
    bo.send(f"{author}/{comment.id}", text="Not mine")
    assert "Only who wrote a comment can change it" in bo.get(author).text
    admin.send(f"{author}/{comment.id}", text="Second, @Bo Berg", mention=bo.id)
    [comment] = rows(site, author)
    assert (comment.text, comment.edited_at is not None) == (f"Second, @[{bo.id}]", True)
    assert [one["mentions"] for one in events(site, comment)] == [[], [bo.id]]
    with site.unit_of_work() as session:
        old = update(Comment).where(Comment.id == comment.id).values(created_at=now() - timedelta(minutes=16))
        session.execute(old)
    admin.send(f"{author}/{comment.id}", text="Third")
    assert "can be changed for 15 minutes" in admin.get(author).text
    assert rows(site, author)[0].text.startswith("Second")


def test_a_deleted_comment_leaves_its_trace_and_nothing_else(
    site: Platform, admin: Person, author: str, people: Callable[..., Person]
) -> None:
    admin.post(author, data={"csrf_token": admin.csrf, "text": "Gone", "files": (io.BytesIO(PNG_TEXT), "note.txt")})
    [comment] = rows(site, author)
    moderator = people("Moderator", browser=True)
    assert moderator.send(f"{author}/{comment.id}/delete").status_code in (302, 303)
    assert rows(site, author)[0].deleted_at is None  # others' take a permission that moderators do not hold
    admin.send(f"{author}/{comment.id}/delete")
    [comment] = rows(site, author)
    assert comment.text == "" and str(comment.deleted_by) == admin.id
    page = admin.get(author).text
    assert "Deleted by Ada Adams" in page and "note.txt" not in page
    with site.unit_of_work() as session:
        assert session.scalars(select(StoredFile.state).where(StoredFile.owner_id == admin.id)).all() == ["deleted"]
    admin.send(f"{author}/{comment.id}", text="Back")
    assert rows(site, author)[0].text == ""


def test_a_file_is_given_to_who_may_see_the_comment(
    site: Platform, admin: Person, author: str, people: Callable[..., Person]
) -> None:
    sent = {"csrf_token": admin.csrf, "text": "See", "files": (io.BytesIO(PNG_TEXT), "note.txt")}
    assert admin.post(author, data=sent).status_code in (302, 303)
    link = re.search(r'href="([^"]+/files/[^"]+)"', admin.get(author).text)
    assert link
    signed = people("Moderator").get(link[1])
    assert signed.location.startswith("/files/") and admin.get(signed.location).data == PNG_TEXT
    assert people("User").get(link[1]).status_code == 403
    assert admin.get(link[1].replace("author", "book")).status_code == 404
    bad = {"csrf_token": admin.csrf, "text": "Bad file", "files": (io.BytesIO(b"MZ\x90\x00"), "virus.exe")}
    refused = admin.post(author, data=bad)
    assert refused.status_code == 422 and "Bad file" in refused.text and "is not taken here" in refused.text
    assert len(rows(site, author)) == 1


@pytest.mark.parametrize("text", ["", "  \r\n ", "x" * 10_001, "a\x00b"])
def test_what_cannot_be_kept_is_refused(site: Platform, admin: Person, author: str, text: str) -> None:
    assert admin.send(author, text=text).status_code == 422
    assert rows(site, author) == []


def test_the_member_concerned_never_sees_them(site: Platform, admin: Person, book: tuple[str, Person]) -> None:
    place, owner = book
    admin.send(place, text="Returns late, @Olga Owner", mention=owner.id)
    [comment] = rows(site, place)
    assert str(comment.member_id) == owner.id
    assert events(site, comment)[0]["mentions"] == []  # whom it is about is never told
    assert owner.id not in str(admin.get(f"{place}/people?q=ol").json)
    assert owner.get(place).status_code == owner.send(place, text="x").status_code == 403
    assert "Comments" not in owner.get(place.replace("comments", "show")).text
    assert admin.get(place).status_code == 200


def test_who_may_not_see_the_record_sees_no_comments(
    admin: Person, author: str, book: tuple[str, Person], people: Callable[..., Person]
) -> None:
    user = people("User", browser=True)
    for place in (author, book[0]):
        assert user.get(place).status_code == user.send(place, text="x").status_code == 403
        assert user.get(f"{place}/people").status_code == 403
    assert admin.get("/admin/library/author/comments/" + str(new_id())).status_code == 404
    assert people().get(author).location.startswith("/login")


def test_erasure_blanks_them_and_the_copy_of_ones_data_holds_them(
    site: Platform, admin: Person, book: tuple[str, Person], people: Callable[..., Person]
) -> None:
    people("Admin")
    place, owner = book
    sent = {"csrf_token": admin.csrf, "text": "Owes us a book", "files": (io.BytesIO(PNG_TEXT), "letter.txt")}
    admin.post(place, data=sent)
    with site.unit_of_work(SYSTEM) as session:
        told = dict(export._parts(session, UUID(owner.id)))
        assert [row["text"] for row in told["core_comment"]] == ["Owes us a book"]
    with site.unit_of_work(SYSTEM) as session:
        session.add(row := Erasure(member_id=UUID(owner.id), due_at=now()))
        session.flush()
        assert len(erase.erase(session, SYSTEM, row.id)) == 1
    [comment] = rows(site, place)
    assert comment.text == "erased"
    with site.unit_of_work() as session:
        assert set(session.scalars(select(StoredFile.state).where(StoredFile.owner_id == admin.id))) == {"deleted"}
