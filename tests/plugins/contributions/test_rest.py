"""The REST routes: who may, what is answered, one line's fault is one line's."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import select

from core.platform import Platform
from core.settings import write
from guildhall import Actor, Member
from plugins.contributions import service
from plugins.contributions.models import Contribution
from plugins.contributions.settings import ContributionSettings

URL = "/api/v1/contributions"


def post_text(client: Any, path: str, body: str, kind: str) -> Any:
    return client.http.post(path, data=body, headers={**client.headers, "Content-Type": kind})


def member_of(client: Any) -> UUID:
    with client.platform.unit_of_work() as session:
        return session.scalars(select(Member.id).order_by(Member.joined_at.desc())).first()


def test_one_is_recorded_and_a_repeat_is_refused_with_the_first(clients: Any) -> None:
    admin = clients("Admin")
    body = {"type": "git.merge", "event_key": "k1", "details": {"lines": 3}}
    answer = admin.post(f"{URL}/contributions", body)
    assert answer.status_code == 201, answer.json
    made = answer.json["data"]
    assert (made["points"], made["state"], made["source"]) == (10, "counted", "admin")
    assert made["breakdown"] == [{"label": "Base", "points": 10}]
    again = admin.post(f"{URL}/contributions", body)
    assert (again.status_code, again.json["error"]["code"]) == (409, "DUPLICATE_EVENT")
    assert again.json["error"]["details"]["id"] == made["id"]


def test_an_idempotency_key_gives_the_same_answer_again(clients: Any) -> None:
    admin = clients("Admin")
    for _ in range(2):
        answer = admin.post(f"{URL}/contributions", {"type": "git.commit"}, headers={"Idempotency-Key": "once-only"})
        assert answer.status_code == 201
    with admin.platform.unit_of_work() as session:
        assert len(session.scalars(select(Contribution)).all()) == 1


def test_bad_bodies_are_refused_by_code(clients: Any) -> None:
    admin = clients("Admin")
    future = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    for body, code in (
        ({}, "INVALID"),
        ({"type": "git.commit", "unknown": 1}, "INVALID"),
        ({"type": "git.commit", "details": "text"}, "INVALID"),
        ({"type": "git.commit", "occurred_at": "2026-01-01T00:00:00"}, "INVALID"),
        ({"type": "no.such"}, "INVALID_CONTRIBUTION_TYPE"),
        ({"type": "git.commit", "details": {"a": "x" * 20_000}}, "INVALID_METADATA"),
        ({"type": "git.commit", "occurred_at": future}, "OCCURRED_IN_FUTURE"),
        ({"type": "git.commit", "occurred_at": "2010-01-01T00:00:00Z"}, "OCCURRED_TOO_LONG_AGO"),
    ):
        answer = admin.post(f"{URL}/contributions", body)
        assert (answer.status_code, answer.json["error"]["code"]) == (422, code), body
    missing = admin.post(f"{URL}/contributions", {"type": "git.commit", "member_id": str(uuid4())})
    assert (missing.status_code, missing.json["error"]["code"]) == (404, "MEMBER_NOT_FOUND")


def test_what_a_limit_rejects_is_kept_and_says_why(clients: Any) -> None:
    admin = clients("Admin")
    first, second = (admin.post(f"{URL}/contributions", {"type": "daily.login"}).json["data"] for _ in range(2))
    assert (first["state"], first["points"]) == ("counted", 1)
    assert (second["state"], second["points"], second["reason"]) == ("rejected", 0, "limit:day")


def test_recording_needs_the_permission(client: Any, clients: Any) -> None:
    assert client.post(f"{URL}/contributions", {"type": "git.commit"}).status_code == 401
    assert clients("User").post(f"{URL}/contributions", {"type": "git.commit"}).status_code == 403
    assert clients("User").post(f"{URL}/contributions/bulk", []).status_code == 403


def test_bulk_answers_line_by_line_as_json_and_as_ndjson(clients: Any) -> None:
    admin = clients("Admin")
    lines = [
        {"type": "git.commit", "event_key": "a"},
        {"type": "git.commit", "event_key": "a"},
        {"type": "no.such"},
        {"type": "git.commit", "member_id": "nobody"},
        {"type": "git.commit", "member_id": str(uuid4())},
        7,
        {"type": "daily.login", "event_key": "d1"},
        {"type": "daily.login", "event_key": "d2"},
    ]
    expected = [
        ("recorded", None),
        ("duplicate", None),
        ("invalid", "INVALID_CONTRIBUTION_TYPE"),
        ("invalid", "INVALID_EVENT"),
        ("invalid", "MEMBER_NOT_FOUND"),
        ("invalid", "INVALID_EVENT"),
        ("recorded", None),
        ("rejected", "FREQUENCY_LIMIT"),
    ]
    answer = admin.post(f"{URL}/contributions/bulk", lines)
    assert answer.status_code == 200, answer.json
    data = answer.json["data"]
    assert [(one["outcome"], one["code"]) for one in data["lines"]] == expected
    assert [one["line"] for one in data["lines"]] == list(range(1, 9))
    assert (data["recorded"], data["duplicate"], data["rejected"], data["invalid"]) == (2, 1, 1, 4)
    assert data["lines"][1]["contribution_id"] == data["lines"][0]["contribution_id"]
    text = "\n".join(['{"type": "git.commit", "event_key": "b"}', "", "{not json", '{"type": "git.commit"}', ""])
    answer = post_text(admin, f"{URL}/contributions/bulk", text, "application/x-ndjson")
    assert [(one["line"], one["outcome"]) for one in answer.json["data"]["lines"]] == [
        (1, "recorded"),
        (3, "invalid"),
        (4, "recorded"),
    ]


def test_bulk_takes_ten_thousand_lines_and_no_more(clients: Any) -> None:
    admin = clients("Admin")
    lines = [json.dumps({"type": "git.commit", "event_key": f"k{n}"}) for n in range(10_001)]
    url = f"{URL}/contributions/bulk"
    answer = post_text(admin, url, "\n".join(lines), "application/x-ndjson")
    assert (answer.status_code, answer.json["error"]["code"]) == (422, "TOO_MANY_LINES")
    answer = post_text(admin, url, "[" + ",".join(lines) + "]", "application/json")
    assert (answer.status_code, answer.json["error"]["code"]) == (422, "TOO_MANY_LINES")
    answer = post_text(admin, url, "\n".join(lines[:10_000]), "application/x-ndjson")
    assert answer.json["data"]["recorded"] == 10_000
    for body in ("{}", "nonsense", ""):
        answer = post_text(admin, url, body, "application/json")
        assert (answer.status_code, answer.json["error"]["code"]) == (422, "INVALID_EVENT")


def test_members_see_their_own_and_no_others(clients: Any, platform: Platform, system: Actor) -> None:
    admin, ada = clients("Admin"), clients("User")
    me = member_of(ada)
    with platform.unit_of_work(system) as session:
        mine = [service.record(session, system, member_id=me, type="git.commit").id for _ in range(3)]
    other = admin.post(f"{URL}/contributions", {"type": "git.commit"}).json["data"]
    listed = ada.get(f"{URL}/contributions?limit=2").json
    seen = [one["id"] for one in listed["data"]]
    following = ada.get(f"{URL}/contributions?limit=2&cursor={listed['meta']['page']['next_cursor']}").json
    assert sorted(seen + [one["id"] for one in following["data"]]) == sorted(map(str, mine))
    assert following["meta"]["page"]["next_cursor"] is None
    assert ada.get(f"{URL}/contributions?member_id={other['member_id']}").status_code == 403
    assert ada.get(f"{URL}/contributions/{other['id']}").status_code == 404
    assert ada.get(f"{URL}/contributions/{uuid4()}").status_code == 404
    assert len(admin.get(f"{URL}/contributions").json["data"]) == 4
    assert len(admin.get(f"{URL}/contributions?member_id={me}&type=git.commit&state=counted").json["data"]) == 3
    story = ada.get(f"{URL}/contributions/{mine[0]}").json["data"]
    assert [stage["stage"] for stage in story["stages"]][:4] == ["trigger", "score", "record", "progress"]
    progress = ada.get(f"{URL}/me/progress").json["data"]
    assert (progress["points"], progress["count"], progress["next_milestone"]) == (15, 3, 100)


def test_the_leaderboard_is_public_only_by_setting(
    client: Any, clients: Any, platform: Platform, system: Actor
) -> None:
    ada = clients("User")
    with platform.unit_of_work(system) as session:
        service.record(session, system, member_id=member_of(ada), type="git.release")
    board = ada.get(f"{URL}/leaderboard?period=month&top=5").json["data"]
    assert [(one["rank"], one["points"]) for one in board["ranks"]] == [(1, 50)]
    assert board["me"]["rank"] == 1
    assert client.get(f"{URL}/leaderboard").status_code == 401
    with platform.unit_of_work(system) as session:
        write(session, system, ContributionSettings, {"public_leaderboard": True})
    platform.registry.cache.forget()
    assert client.get(f"{URL}/leaderboard").json["data"]["me"] is None
    assert client.get(f"{URL}/leaderboard?period=decade").status_code == 422
    assert client.get(f"{URL}/leaderboard?top=0").status_code == 422
    assert client.get(f"{URL}/me/progress").status_code == 401


def test_types_are_edited_with_checks_and_a_new_version(clients: Any) -> None:
    admin = clients("Admin")
    found = admin.get(f"{URL}/types?q=git.commit").json["data"][0]
    refused = admin.patch(f"{URL}/types/{found['id']}", {"limits": [{"per": "fortnight", "count": 1}]})
    assert refused.status_code == 422
    assert "limits" in refused.json["error"]["details"]
    changed = admin.patch(f"{URL}/types/{found['id']}", {"limits": [{"per": "day", "count": 1}]}).json["data"]
    assert changed["version"] == found["version"] + 1
    assert [admin.post(f"{URL}/contributions", {"type": "git.commit"}).json["data"]["state"] for _ in range(2)] == [
        "counted",
        "rejected",
    ]
