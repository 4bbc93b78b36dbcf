"""Automations through the API, from the first draft to the repeated run."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text

from core.actor import Actor
from core.rest.automations import EXAMPLE
from tests.core.doors import people as people
from tests.core.doors import site as site
from tests.core.doors import web as web

BASE = "/api/v1/core/automations"


@pytest.fixture(autouse=True)
def _alone(site: Any) -> Any:
    """No automation is left on the web site that other tests share."""
    yield
    with site.unit_of_work(Actor.system("test")) as session:
        session.execute(text("TRUNCATE core_automation CASCADE"))
        session.execute(text("UPDATE core_generation SET value = value + 1"))
    site.registry.cache.looked_at = float("-inf")


def test_an_automation_is_written_tried_turned_on_and_started(people: Any) -> None:
    admin = people("Admin")
    made = admin.post(BASE, {"name": f"Rule {uuid4()}", "definition": EXAMPLE})
    assert made.status_code == 201, made.json
    one = f"{BASE}/{made.json['data']['id']}"
    shown = admin.get(one).json["data"]
    assert (shown["state"], shown["definition"], shown["waits"]) == ("draft", EXAMPLE, {})
    changed = admin.patch(one, {"definition": {**EXAMPLE, "trigger": {"kind": "manual"}}})
    assert changed.json["data"]["latest"] == 2
    tried = admin.post(f"{BASE}/try", {"definition": {**EXAMPLE, "trigger": {"kind": "manual"}, "condition": {}}})
    assert tried.json["data"]["tried"][0]["actions"][0]["state"] == "done"
    on = admin.post(f"{one}/on", {})
    assert (on.json["data"]["state"], on.json["data"]["version"]) == ("on", 2)
    assert admin.delete(one).json["error"]["code"] == "AUTOMATION_STILL_ON"
    key = {"Idempotency-Key": str(uuid4())}
    asked = [admin.post(f"{one}/run", {"member_ids": [admin.id]}, headers=key) for _again in range(2)]
    assert [answer.status_code for answer in asked] == [202, 202]
    assert asked[0].json["data"]["id"] == asked[1].json["data"]["id"]
    assert admin.get(f"{BASE}/runs?automation_id={made.json['data']['id']}").json["data"] == []
    assert (
        admin.post(f"{BASE}/runs/{uuid4()}/repeat", headers=key | {"Idempotency-Key": str(uuid4())}).status_code == 404
    )
    assert admin.post(f"{one}/off", {"reason": "enough"}).json["data"]["state"] == "off"
    file = admin.get(f"{BASE}/file").json["data"]["yaml"]
    assert admin.post(f"{BASE}/file", {"yaml": file}).status_code == 201
    assert admin.delete(one).status_code == 204
    assert admin.get(one).status_code == 404


def test_what_is_wrong_is_told_by_place_and_what_is_hostile_is_refused(people: Any) -> None:
    admin = people("Admin")
    draft = {**EXAMPLE, "trigger": {"kind": "event", "event": "nobody.knows.this"}}
    made = admin.post(BASE, {"name": f"Draft {uuid4()}", "definition": draft}).json["data"]
    refused = admin.post(f"{BASE}/{made['id']}/on", {})
    assert refused.status_code == 422
    assert list(refused.json["error"]["details"]) == ["trigger.event"]
    nested: Any = []
    for _level in range(400):
        nested = [nested]
    for hostile in (
        None,
        [],
        {"trigger": []},
        {**EXAMPLE, "actions": [{"action": "core.set_tag", "values": {"tag": "a\0b"}}]},
        {**EXAMPLE, "condition": {"rows": [{"field": "event.a", "operator": "is", "value": "\0"}]}},
        {**EXAMPLE, "condition": {"cel": "\0"}},
        {**EXAMPLE, "actions": [{"action": "core.set_tag", "values": {"tag": "x" * 30_000}}]},
        {**EXAMPLE, "actions": [EXAMPLE["actions"][0]] * 21},  # type: ignore[index]
    ):
        answer = admin.post(BASE, {"name": f"Hostile {uuid4()}", "definition": hostile})
        assert answer.status_code == 422, hostile
    deep = {**EXAMPLE, "actions": [{"action": "core.set_tag", "values": {"tag": nested}}]}
    assert admin.post(BASE, {"name": f"Deep {uuid4()}", "definition": deep}).status_code in (201, 400, 422)


def test_without_permission_nothing_is_told(people: Any) -> None:
    user = people("User")
    for method, path in (
        ("GET", BASE),
        ("POST", BASE),
        ("GET", f"{BASE}/{uuid4()}"),
        ("GET", f"{BASE}/runs"),
        ("GET", f"{BASE}/file"),
        ("POST", f"{BASE}/try"),
        ("POST", f"{BASE}/{uuid4()}/on"),
    ):
        assert user.open(method, path, {} if method == "POST" else None).status_code == 403
