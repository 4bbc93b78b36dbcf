"""Pages and REST that nobody wrote: they follow from the model."""

from __future__ import annotations

from typing import Any

API = "/api/v1/suggestions/suggestions"


def test_a_member_suggests_and_a_moderator_answers(clients: Any) -> None:
    member, other, moderator = clients("User"), clients("User"), clients("User", "Moderator")
    made = member.post(API, {"title": "A quiet room", "body": "Please."})
    assert made.status_code == 201, made.json
    key = made.json["data"]["id"]
    assert made.json["data"]["status"] == "new"
    assert [one["id"] for one in member.get(API).json["data"]] == [key]
    assert other.get(API).json["data"] == []
    assert other.get(f"{API}/{key}").status_code == 404
    assert member.patch(f"{API}/{key}", {"status": "done"}).status_code == 403
    assert moderator.patch(f"{API}/{key}", {"status": "planned"}).json["data"]["status"] == "planned"
    assert moderator.patch(f"{API}/{key}", {"status": "maybe"}).status_code == 422
    assert "A quiet room" in moderator.get("/admin/suggestions/suggestion/list/").text


def test_nobody_is_asked_to_sign_in(client: Any) -> None:
    assert client.post(API, {"title": "x", "body": "y"}).status_code == 401
