"""The programme from the proposal to the end, and what it does not let anybody do."""

from __future__ import annotations

from typing import Any

import pytest

PAIRS = "/api/v1/mentoring/pairings"
DECIDE = "mentoring:pairing:decide"


@pytest.fixture
def pair(as_member: Any) -> Any:
    """A proposed pair, its mentee and its mentor."""
    mentee, mentor = as_member("mentoring:pairing:create"), as_member()
    made = mentee.post(PAIRS, {"mentor_id": str(mentor.member.id), "goal": "Speak in public"})
    assert made.status_code == 201, made.json
    return f"{PAIRS}/{made.json['data']['id']}", mentee, mentor


def test_a_pair_goes_its_way(pair: Any, as_member: Any) -> None:
    path, mentee, _mentor = pair
    coordinator = as_member(DECIDE, "mentoring:pairing:show")
    for step in ("accept", "pause", "resume", "finish"):
        assert coordinator.post(f"{path}/{step}", {}).status_code == 200, step
    assert mentee.get(path).json["data"]["state"] == "finished"


def test_only_what_is_allowed_from_here_is_done(pair: Any, as_member: Any) -> None:
    path, mentee, _mentor = pair
    coordinator = as_member(DECIDE, "mentoring:pairing:show")
    assert mentee.post(f"{path}/accept", {}).status_code == 403
    refused = coordinator.post(f"{path}/finish", {})
    assert refused.status_code == 409 and refused.json["error"]["code"] == "TRANSITION_REFUSED"
    assert "active" in refused.json["error"]["message"]


def test_declining_takes_a_reason(pair: Any, as_member: Any) -> None:
    path, _mentee, _mentor = pair
    coordinator = as_member(DECIDE, "mentoring:pairing:show")
    assert coordinator.post(f"{path}/decline", {}).status_code == 422
    assert coordinator.post(f"{path}/decline", {"reason": "Mentor is away"}).status_code == 200


def test_nobody_is_their_own_mentor(as_member: Any) -> None:
    member = as_member("mentoring:pairing:create")
    refused = member.post(PAIRS, {"mentor_id": str(member.member.id), "goal": "Talk to myself"})
    assert 400 <= refused.status_code < 500


def test_both_are_told_once_of_each_change(pair: Any, as_member: Any, events: Any) -> None:
    path, mentee, mentor = pair
    as_member(DECIDE, "mentoring:pairing:show").post(f"{path}/accept", {})
    events.drain(twice=True)
    for person in (mentee, mentor):
        assert [one["kind"] for one in person.get("/api/v1/notifications").json["data"]] == ["mentoring_active"]


def test_the_suggested_automation_marks_who_was_mentored(pair: Any, as_member: Any, events: Any) -> None:
    path, mentee, _mentor = pair
    acts = ("create", "update", "enable", "list")
    admin = as_member(*(f"core:automation:{act}" for act in acts), "core:member:update")
    draft = admin.post("/api/v1/core/automations/suggestions/mentoring.mentoring_finished/take").json["data"]
    assert draft["state"] == "draft"
    assert admin.post(f"/api/v1/core/automations/{draft['id']}/on", {}).status_code == 200
    coordinator = as_member(DECIDE, "mentoring:pairing:show")
    for step in ("accept", "finish"):
        coordinator.post(f"{path}/{step}", {})
    events.drain(twice=True)
    runs = admin.get(f"/api/v1/core/automations/runs?member_id={mentee.member.id}").json["data"]
    assert [run["state"] for run in runs] == ["done"]
