"""A column that holds a file: taken by content, shown by a link that expires, let go with the record."""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from flask import Flask

from core.files.models import StoredFile
from core.ids import new_id
from core.platform import Platform
from tests.core.doors import Person
from tests.core.files import samples
from tests.core.resources.conftest import API, PAGES, article, asked, at_once

FILES = "/api/v1/core/files"


def cover(person: Person, purpose: str = "press.cover", content: bytes = b"") -> str:
    """Send a picture; returns its id."""
    data = {"file": (io.BytesIO(content or samples.image()), "cover.png")}
    answer = person.post(f"{FILES}?purpose={purpose}", data=data)
    assert answer.status_code == 201, answer.json
    return str(answer.json["data"]["id"])


def state_of(site: Platform, key: str) -> str:
    with site.unit_of_work() as session:
        return session.get_one(StoredFile, UUID(key)).state


def sent_form(person: Person, path: str, content: bytes | None = None, **values: str) -> Any:
    """Send the form of an article, perhaps with a file."""
    data: dict[str, Any] = {"csrf_token": person.csrf, "title": "By form", "state": "draft", "likes": "0", **values}
    if content is not None:
        data["cover_id-file"] = (io.BytesIO(content), values.get("name", "cover.png"))
    return person.post(path, data={"dislikes": "0", **data}, content_type="multipart/form-data")


def test_a_file_that_was_sent_is_held_and_given_to_who_sees_the_record(
    site: Platform, people: Callable[..., Person], editor: Person
) -> None:
    author, moderator = people("User"), people("Moderator")
    key = cover(author)
    made = article(author, cover_id=key)
    assert (made["cover_id"]["id"], made["cover_id"]["media_type"]) == (key, "image/png")
    shown = moderator.get(f"{API}/{made['id']}").json["data"]["cover_id"]
    assert people().get(shown["url"]).mimetype == "image/png"
    assert state_of(site, key) == "kept"
    found = asked(moderator, f'{{ pressArticle(id: "{made["id"]}") {{ coverId }} }}')
    assert found["data"]["pressArticle"]["coverId"]["name"] == "cover.png"
    assert article(author)["cover_id"] is None


@pytest.mark.parametrize("case", ["another's", "in use", "other purpose", "unknown", "no id"])
def test_a_file_of_another_place_is_refused(people: Callable[..., Person], editor: Person, case: str) -> None:
    other = people("User")
    key = {"unknown": str(new_id()), "no id": "cover.png"}.get(case, "")
    if case == "in use":
        key = article(editor, cover_id=cover(editor))["cover_id"]["id"]
    elif not key:
        key = cover(other) if case == "another's" else cover(editor, "core.attachment")
    mine = article(editor)["id"]
    given = {"title": "Thief", "cover_id": key}
    for answer in (editor.post(API, given), editor.patch(f"{API}/{mine}", given)):
        assert (answer.status_code, list(answer.json["error"]["details"])) == (422, ["cover_id"])


def test_one_file_belongs_to_one_of_many_that_ask_at_once(web: Flask, editor: Person) -> None:
    key = cover(editor)
    answers = at_once(web, editor, 8, lambda person, _n: person.post(API, {"title": "Mine", "cover_id": key}))
    assert Counter(one.status_code for one in answers) == {201: 1, 422: 7}


def test_replaced_removed_or_deleted_it_is_let_go(site: Platform, editor: Person) -> None:
    first, second = cover(editor), cover(editor)
    made = article(editor, cover_id=first)
    link = made["cover_id"]["url"]
    assert editor.patch(f"{API}/{made['id']}", {"cover_id": second}).status_code == 200
    assert (state_of(site, first), state_of(site, second)) == ("deleted", "kept")
    assert editor.get(link).status_code == 404
    assert editor.patch(f"{API}/{made['id']}", {"title": "Kept"}).json["data"]["cover_id"]["id"] == second
    assert editor.patch(f"{API}/{made['id']}", {"cover_id": None}).json["data"]["cover_id"] is None
    assert state_of(site, second) == "deleted"
    assert editor.patch(f"{API}/{made['id']}", {"cover_id": first}).status_code == 422  # what is let go is gone


def test_a_refused_change_lets_nothing_go(site: Platform, editor: Person) -> None:
    first, second = cover(editor), cover(editor)
    made = article(editor, cover_id=first)
    refused = editor.patch(f"{API}/{made['id']}", {"cover_id": second, "state": "published"})
    assert refused.status_code == 409
    assert (state_of(site, first), state_of(site, second)) == ("kept", "loose")


def test_the_form_takes_shows_keeps_and_removes_it(site: Platform, admin: Person) -> None:
    made = sent_form(admin, f"{PAGES}/add", samples.image())
    assert made.status_code == 302, made.text
    key = made.location.rsplit("/", 1)[1]
    page = admin.get(f"{PAGES}/show/{key}").text
    link = re.search(r'<img src="(/files/[^"]+)"', page)
    assert link and admin.get(link[1]).mimetype == "image/png"
    form = admin.get(f"{PAGES}/edit/{key}").text
    held = re.search(r'<input type="hidden" name="cover_id" value="([0-9a-f-]{36})"', form)
    assert held and "cover_id-remove" in form
    assert sent_form(admin, f"{PAGES}/edit/{key}", cover_id=held[1], title="Kept on save").status_code == 302
    assert state_of(site, held[1]) == "kept" and "<img src" in admin.get(f"{PAGES}/list/?q=Kept on save").text
    gone = sent_form(admin, f"{PAGES}/edit/{key}", None, **{"cover_id": held[1], "cover_id-remove": "y"})
    assert gone.status_code == 302 and state_of(site, held[1]) == "deleted"


def test_what_is_wrong_with_a_file_is_said_at_its_field(admin: Person) -> None:
    for content, word in ((samples.PDF, "not taken here"), (b"", "empty"), (b"<svg/>", "SVG"), (b"\x89PNG" * 9000, "")):
        page = sent_form(admin, f"{PAGES}/add", content)
        assert page.status_code == 200
        error = re.search(r'id="cover_id-error">(.*?)</p>', page.text, re.S)
        assert error and word in error[1]


def test_a_form_that_is_wrong_elsewhere_keeps_the_file(site: Platform, admin: Person) -> None:
    page = sent_form(admin, f"{PAGES}/add", samples.image(), title="")
    held = re.search(r'name="cover_id" value="([0-9a-f-]{36})"', page.text)
    assert held and state_of(site, held[1]) == "loose" and "cover.png" in page.text
    assert sent_form(admin, f"{PAGES}/add", cover_id=held[1]).status_code == 302
    assert state_of(site, held[1]) == "kept"


def test_a_forged_id_shows_and_takes_nothing(people: Callable[..., Person], editor: Person, admin: Person) -> None:
    secret = cover(people("User"), "core.attachment")
    for page in (
        sent_form(admin, f"{PAGES}/add", cover_id=secret),
        sent_form(admin, f"{PAGES}/add", cover_id=secret, title=""),
        admin.get(f"{PAGES}/add?cover_id={secret}"),
    ):
        assert page.status_code == 200 and "/files/" not in page.text and "cover.png" not in page.text
    mine = article(editor, cover_id=cover(editor))
    assert sent_form(admin, f"{PAGES}/edit/{mine['id']}", cover_id=secret).status_code == 200
    assert editor.get(f"{API}/{mine['id']}").json["data"]["cover_id"]["id"] == mine["cover_id"]["id"]


def test_a_file_that_is_gone_is_shown_as_none(site: Platform, admin: Person, editor: Person) -> None:
    made = article(editor, cover_id=cover(editor), title="Without a picture")
    with site.unit_of_work() as session:
        session.get_one(StoredFile, UUID(made["cover_id"]["id"])).state = "deleted"
    assert editor.get(f"{API}/{made['id']}").json["data"]["cover_id"] is None
    assert admin.get(f"{PAGES}/show/{made['id']}").status_code == 200
    assert admin.get(f"{PAGES}/list/?q=Without").status_code == 200


def test_the_history_tells_files_by_name_and_links_to_what_is_kept(
    people: Callable[..., Person], editor: Person
) -> None:
    admin, other = people("Admin", browser=True), cover(editor, "core.attachment")
    first, second = cover(editor), cover(editor)
    key = article(editor, cover_id=first)["id"]
    assert editor.patch(f"{API}/{key}", {"cover_id": second}).status_code == 200
    answer = admin.get(f"{API}/{key}/history").json["data"]
    [(before, after)] = [
        (one["before"], one["after"]) for one in answer[0]["fields"] if one["name"] == "cover_id" and not one["closed"]
    ]
    assert (before["id"], before["name"], before["media_type"], before["url"]) == (
        first,
        "cover.png",
        "image/png",
        None,
    )
    assert after["id"] == second and after["size"] == before["size"] > 0
    assert admin.get(after["url"]).status_code == 200
    page = admin.get(f"/admin/press/article/history/{key}").text
    assert page.count("cover.png") >= 3 and "no longer kept" in page and first not in page and other not in page
    assert f"{after['url'].rpartition('/')[0]}/" in page and "PNG · " in page
