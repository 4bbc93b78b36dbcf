"""Comments over REST: the same services, the same refusals."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from core.actor import Actor
from core.ids import new_id
from core.platform import Platform
from tests.core.doors import Person
from tests.core.library import Author

REST = "/api/v1/core/comments"


@pytest.fixture
def author(site: Platform) -> str:
    with site.unit_of_work(Actor.system("test")) as session:
        session.add(one := Author(name=f"Ursula {new_id().hex[-8:]}"))
    return str(one.id)


def test_a_comment_lives_over_rest(people: Callable[..., Person], author: str) -> None:
    admin, bo = people("Admin"), people("Moderator", name="Bo Berg")
    on = {"resource": "library.author", "record_id": author}
    once = {"Idempotency-Key": str(new_id())}
    body = {**on, "text": "@Bo Berg look", "mentions": [bo.id]}
    first, again = admin.post(REST, body, headers=once), admin.post(REST, body, headers=once)
    assert first.status_code == 201 and first.json["data"] == again.json["data"]
    made = first.json["data"]
    assert (made["text"], made["author_id"], made["files"]) == (f"@[{bo.id}] look", admin.id, [])
    listed = bo.get(REST, query_string=on).json["data"]
    assert [one["id"] for one in listed] == [made["id"]]
    changed = admin.patch(f"{REST}/{made['id']}", {"text": "Never mind"})
    assert changed.json["data"]["text"] == "Never mind"
    refused = bo.patch(f"{REST}/{made['id']}", {"text": "Mine"})
    assert (refused.status_code, refused.json["error"]["code"]) == (403, "COMMENT_NOT_YOURS")
    assert bo.delete(f"{REST}/{made['id']}").status_code == 403
    assert admin.delete(f"{REST}/{made['id']}").status_code == 204
    [left] = admin.get(REST, query_string=on).json["data"]
    assert left["text"] == "" and left["deleted_at"]
    gone = admin.patch(f"{REST}/{made['id']}", {"text": "Back"})
    assert (gone.status_code, gone.json["error"]["code"]) == (409, "COMMENT_GONE")


def test_what_is_not_there_or_about_oneself_is_refused(people: Callable[..., Person], author: str) -> None:
    admin, user = people("Admin"), people("User")
    mine = admin.get(REST, query_string={"resource": "core.member", "record_id": admin.id})
    assert (mine.status_code, mine.json["error"]["code"]) == (403, "COMMENT_ABOUT_YOURSELF")
    for resource, key in (("library.nothing", author), ("library.author", str(new_id())), ("core.member", "x")):
        assert admin.get(REST, query_string={"resource": resource, "record_id": key}).status_code == 404
    assert user.get(REST, query_string={"resource": "library.author", "record_id": author}).status_code == 403
    for path in (f"{REST}/{new_id()}", f"{REST}/{new_id()}/files/{new_id()}"):
        assert admin.delete(path).status_code in (404, 405)
    assert admin.get(f"{REST}/{new_id()}/files/{new_id()}").status_code == 404
    assert admin.post(REST, {"resource": "library.author", "record_id": author, "text": " "}).status_code == 422
