"""What badges are made of, over REST: kinds of conditions, checks, versions, languages, the tree, pictures, secrets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID
from xml.etree import ElementTree

import pytest

from core.platform import Platform
from guildhall import Actor
from plugins.badges import service

from .conftest import count, held, points

API = "/api/v1/badges"
Make = Callable[..., UUID]


@pytest.fixture
def admin(clients: Any) -> Any:
    return clients("Admin")


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json["error"]["code"]


def test_an_editor_is_told_every_kind_with_its_parameters(admin: Any, client: Any) -> None:
    told = admin.get(f"{API}/criteria").json["data"]
    leaves = {leaf["type"]: {one["name"]: one for one in leaf["parameters"]} for leaf in told["leaves"]}
    assert {"points.threshold", "event.count", "challenge.win", "level", "badge.held", "manual"} <= set(leaves)
    event, days = leaves["event.count"]["event"], leaves["event.count"]["days"]
    assert (event["kind"], event["required"], event["options"][0]["value"]) == ("choice", True, "*")
    assert (days["kind"], days["required"], days["minimum"], days["maximum"]) == ("integer", False, 1, 366)
    assert {"value": "winner", "label": "Winner"} in leaves["badge.held"]["badge"]["options"]
    assert leaves["member.before"]["date"]["kind"] == "date"
    assert [group["word"] for group in told["groups"]] == ["all", "any", "not"]
    client.sign_in("User")
    assert code(client.get(f"{API}/criteria")) == (403, "PERMISSION_MISSING")


def test_criteria_are_checked_while_they_are_written(admin: Any) -> None:
    def check(criteria: Any, badge: str = "") -> Any:
        return admin.post(f"{API}/criteria/check", {"criteria": criteria, "badge": badge}).json["data"]

    wrong = check({"all": [points(1), points(2), {"type": "nothing"}, {"not": {"type": "streak", "days": 0}}]})
    assert wrong["valid"] is False
    assert [one.split(":")[0] for one in wrong["problems"]] == ["$.all[2].type", "$.all[3].not.days"]
    assert check(held("legend"), "pillar")["valid"] is False
    assert check({"not": points(1)}) == {"valid": True, "monotone": False, "problems": []}
    assert check(points(1))["monotone"] is True


def test_each_award_keeps_the_version_that_gave_it(admin: Any, contribute: Make, drain: Any, people: Any) -> None:
    [member_id] = people()
    contribute(member_id, "challenge.win")
    drain()
    admin.patch(f"{API}/badges/winner", {"criteria": count("challenge.win", 3)})
    kept = admin.get(f"{API}/badges/winner/versions").json["data"]
    assert [(one["version"], one["criteria"]["count"]) for one in kept] == [(2, 3), (1, 1)]
    told = admin.get(f"{API}/badges/winner/explain?member={member_id}").json["data"]
    assert (told["state"], told["award"]["badge_version"]) == ("held", 1)
    assert (told["given"]["target"], told["given"]["ok"]) == (1, True)
    assert (told["criteria"]["target"], told["criteria"]["ok"]) == (3, False)
    assert "Version 1" in admin.get(f"/admin/badges/gallery/winner?member={member_id}").text


def test_badges_have_names_in_other_languages(admin: Any, client: Any) -> None:
    wrote = admin.http.put(f"{API}/badges/winner/texts/fr", json={"name": "Vainqueur"}, headers=admin.headers)
    assert wrote.status_code == 200, wrote.json
    named = {one["slug"]: one for one in client.get(f"{API}/badges?locale=fr_CA").json["data"]}
    assert (named["winner"]["name"], named["finalist"]["name"]) == ("Vainqueur", "Finaliste")
    assert named["winner"]["description"] == "A remporté un défi."
    assert client.get(f"{API}/badges/winner?locale=fr").json["data"]["name"] == "Vainqueur"
    assert client.get(f"{API}/badges/winner").json["data"]["name"] == "Winner"
    assert [one["locale"] for one in admin.get(f"{API}/badges/winner/texts").json["data"]] == ["fr"]
    bad = admin.http.put(f"{API}/badges/winner/texts/French!", json={"name": " "}, headers=admin.headers)
    assert (code(bad), set(bad.json["error"]["details"])) == ((422, "INVALID"), {"locale", "name"})
    assert admin.delete(f"{API}/badges/winner/texts/fr").status_code == 204
    assert code(admin.delete(f"{API}/badges/winner/texts/fr"))[0] == 404
    assert code(admin.get(f"{API}/badges/nothing/texts")) == (404, "BADGE_NOT_FOUND")


def test_pages_call_a_badge_as_the_reader_does(admin: Any, platform: Platform, system: Actor) -> None:
    with platform.unit_of_work(system) as session:
        service.write_text(session, system, slug="winner", locale="fr", name="Vainqueur", description="A gagné")
    french = {"Accept-Language": "fr"}
    for path in ("gallery", "gallery/winner"):
        told = admin.get(f"/admin/badges/{path}", headers=french).text
        assert "Vainqueur" in told
        assert "A gagné" in told
        assert "Vainqueur" not in admin.get(f"/admin/badges/{path}").text


def test_the_tree_and_its_picture(admin: Any, client: Any) -> None:
    client.sign_in("User")
    places = {one["badge"]: one for one in client.get(f"{API}/tree").json["data"]}
    assert places["legend"]["needs"] == ["commits-100", "pillar", "winner"]
    assert places["legend"]["column"] == 1 + places["pillar"]["column"]
    assert "points-100" not in places
    page = admin.get("/admin/badges/tree").text
    assert 'role="group"' in page
    assert page.count("<path d=") >= 3
    assert "Legend" in page


def test_a_picture_is_made_of_every_badge(admin: Any, client: Any) -> None:
    admin.post(f"{API}/categories", {"slug": "ours", "name": "Ours"})
    admin.post(f"{API}/badges", {"slug": "odd", "name": "<b>&", "category": "ours", "level": 5, "criteria": points(9)})
    for slug in ("winner", "odd"):
        answer = client.get(f"{API}/badges/{slug}/icon.svg")
        assert answer.mimetype == "image/svg+xml"
        ElementTree.fromstring(answer.text)
    assert code(client.get(f"{API}/badges/nothing/icon.svg")) == (404, "BADGE_NOT_FOUND")


def test_the_nearest_badges_say_what_is_missing(client: Any, contribute: Make, drain: Any) -> None:
    member = client.sign_in("User")
    contribute(member.id, "challenge.win")
    drain()
    near = {one["badge"]: one for one in client.get(f"{API}/nearest").json["data"]}
    assert near["points-500"]["missing"] == ["100 of 500 points"]
    assert near["points-500"]["progress_basis_points"] == 2000
    assert "winner" not in near


def test_a_secret_badge_is_heard_of_nowhere(
    platform: Platform, system: Actor, client: Any, badge: Make, contribute: Make, drain: Any
) -> None:
    badge("whisper", count("git.merge"), visibility="secret")
    badge("public-top", {"all": [points(1), held("whisper")]})
    badge("public-not", {"any": [{"not": held("whisper")}, points(10**9)]})
    member = client.sign_in("User")
    contribute(member.id, "challenge.win")
    drain()
    doors = ["badges", "badges/public-top", "badges/public-top/explain", "badges/public-not/explain", "tree", "nearest"]
    for door in doors:
        answer = client.get(f"{API}/{door}")
        assert answer.status_code == 200, door
        assert "whisper" not in answer.text, door
    unknown = client.get(f"{API}/badges/never-was")
    for door in ("", "/explain", "/icon.svg"):
        answer = client.get(f"{API}/badges/whisper{door}")
        assert code(answer) == (404, "BADGE_NOT_FOUND")
        assert answer.json["error"]["message"].replace("whisper", "never-was") == unknown.json["error"]["message"]
    with platform.unit_of_work(system) as session:
        service.award(session, system, slug="whisper", member_id=member.id, reason="found it")
    assert client.get(f"{API}/badges/whisper").json["data"]["criteria"] == count("git.merge")
    assert "whisper" in client.get(f"{API}/badges/public-top/explain").text


def test_the_editor_has_a_piece_for_each_kind_and_checks_what_is_written(admin: Any) -> None:
    page = admin.get("/admin/badges/preview?badge=pillar").text
    assert 'data-leaf="event.count"' in page
    assert 'data-name="days"' in page
    assert '<textarea class="form-control" id="f-criteria"' in page

    def problems(criteria: str) -> list[str]:
        answer = admin.http.post("/admin/badges/check", data={"criteria": criteria}, headers=admin.headers)
        found: list[str] = answer.json["problems"]
        return found

    assert problems('{"all": [{"type": "streak", "days": 0}]}')[0].startswith("$.all[0].days:")
    for broken in ("{", "[" * 50_000):
        assert "JSON" in problems(broken)[0]
    assert problems('{"type": "manual"}') == []
