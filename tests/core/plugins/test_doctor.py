"""The doctor says what is wrong with a plugin, to the terminal, to programs and on the plugin's page."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import insert, text

from app import create_app
from core import access, doctor, lifecycle
from core.actor import Actor
from core.commands import plugin_group
from core.events.deliver import Deliverer
from core.events.publish import publish
from core.events.subscribers import set_paused
from core.lifecycle import PluginRow
from core.members import service
from core.platform import Platform
from core.settings import SettingRow
from tests.core.doors import Person
from tests.core.workshop import Workshop

SYSTEM = Actor.system("test")
RINGER = """
class Rung(Event):
    event_name = "ringer.bell.rung"

class RingerSettings(Settings):
    loud: int = 3

def hear(session, actor, event):
    raise RuntimeError("deaf")

def sick(session):
    return "The clapper is missing."
"""
MANIFEST = """settings=RingerSettings, events=[Rung],
    subscribers=[Subscriber(event=Rung, handler=hear, max_attempts=1)],
    health_checks=[HealthCheck(name="clapper", check=sick)]"""


@pytest.fixture
def hospital(workshop: Workshop) -> Platform:
    """A platform with a plugin for each way of being ill."""
    workshop.plugin("ringer", MANIFEST, RINGER)
    workshop.source("unreadable", "import nothing_of_this_name\n")
    workshop.plugin("needy", "requires={'absent': '>=2'}")
    workshop.plugin("old", "requires={'ringer': '>=9'}")
    workshop.plugin("stuck")
    workshop.migration("stuck", 1, "SELECT 1 FROM no_table_of_this_name")
    workshop.plugin("well")
    (workshop.folder / "well" / "README.md").write_text("What it does.")
    return workshop.boot()


def of(platform: Platform, name: str = "") -> dict[str, doctor.Diagnosis]:
    platform.registry.cache.looked_at = float("-inf")
    with platform.unit_of_work(SYSTEM) as session:
        return {one.name: one for one in doctor.examine(session, platform, name)}


def codes(one: doctor.Diagnosis) -> set[str]:
    return {finding.code for finding in one.findings}


def harm(platform: Platform) -> None:
    """Let everything happen to the ringer that can."""
    with platform.unit_of_work(SYSTEM) as session:
        session.execute(insert(SettingRow).values(plugin="ringer", name="loud", value="very"))
        session.execute(insert(SettingRow).values(plugin="ringer", name="gone", value=1))
        session.execute(text("UPDATE core_generation SET value = value + 1"))
        access.sync(session, [*platform.registry.permissions, "ringer:rope:pull"], {"Bellman": {"ringer:rope:pull"}})
        publish(session, SYSTEM, platform.registry.events["ringer.bell.rung"]())
    Deliverer(platform.database).drain()
    with platform.unit_of_work(SYSTEM) as session:
        set_paused(session, SYSTEM, "ringer.hear", True)


def test_each_way_of_being_ill_is_told(hospital: Platform) -> None:
    harm(hospital)
    found = of(hospital)
    assert (
        codes(found["unreadable"]) >= {"STATE_FAILED_LOAD"} and "nothing_of_this_name" in found["unreadable"].traceback
    )
    assert codes(found["needy"]) >= {"STATE_MISSING_DEPENDENCY", "REQUIREMENT_MISSING"}
    assert codes(found["old"]) >= {"STATE_INCOMPATIBLE"}
    assert codes(found["stuck"]) >= {"STATE_FAILED_MIGRATION", "REVISIONS_PENDING"}
    assert found["stuck"].pending == ("stuck_0001",)
    assert codes(found["ringer"]) == {
        "DELIVERIES_DEAD",
        "SUBSCRIBER_PAUSED",
        "UNHEALTHY",
        "SETTING_UNUSABLE",
        "SETTING_UNKNOWN",
        "PERMISSION_UNKNOWN",
        "DOCS_MISSING",
    }
    assert "The clapper is missing." in " ".join(map(str, found["ringer"].findings))
    assert found["well"].findings == () and not found["well"].wrong
    assert codes(found["wallet"]) == set() and not found["core"].wrong


def test_quarantine_is_told_with_its_traceback(hospital: Platform) -> None:
    with hospital.unit_of_work() as session:
        values = {"quarantined": "50 deliveries failed", "traceback": "File hear, line 7"}
        session.execute(
            text("UPDATE core_plugin SET quarantined = :quarantined, traceback = :traceback WHERE name = 'ringer'"),
            values,
        )
        session.execute(text("UPDATE core_generation SET value = value + 1"))
    one = of(hospital, "ringer")["ringer"]
    assert one.state == "quarantined" and one.traceback == "File hear, line 7" and one.wrong
    with hospital.unit_of_work() as session:
        assert session.get_one(PluginRow, "ringer").enabled


def test_what_is_off_by_an_admin_is_no_illness(hospital: Platform) -> None:
    with hospital.unit_of_work(SYSTEM) as session:
        lifecycle.set_enabled(session, SYSTEM, "well", False)
    one = of(hospital, "well")["well"]
    assert codes(one) == {"OFF"} and not one.wrong


def test_parked_revisions_wait_for_their_plugin(hospital: Platform) -> None:
    with hospital.unit_of_work() as session:
        session.execute(text("INSERT INTO core_parked_revision VALUES ('attic_0003'), ('well_0009')"))
        assert doctor.parked(session, hospital) == {"attic": ["attic_0003"]}
    assert codes(of(hospital, "well")["well"]) == {"REVISIONS_PARKED"}


def test_revisions_that_cannot_be_read_are_named(workshop: Workshop) -> None:
    workshop.plugin("torn")
    folder = workshop.folder / "torn" / "migrations"
    folder.mkdir()
    (folder / "torn_0001.py").write_text("revision = (\n")
    assert "REVISIONS_UNREADABLE" in codes(of(workshop.boot(), "torn")["torn"])


def test_the_command_exits_with_1_when_something_is_wrong_and_speaks_json(hospital: Platform) -> None:
    harm(hospital)
    run = CliRunner()
    assert run.invoke(plugin_group, ["doctor", "well"], obj=hospital).exit_code == 0
    ill = run.invoke(plugin_group, ["doctor"], obj=hospital)
    assert ill.exit_code == 1 and "WRONG DELIVERIES_DEAD: ringer.hear has given up" in ill.output
    told = json.loads(run.invoke(plugin_group, ["doctor", "ringer", "--json"], obj=hospital).output)
    [one] = told["plugins"]
    assert (
        one["wrong"] and one["subscribers"][0]["dead"] == 1 and one["health"] == {"clapper": "The clapper is missing."}
    )
    listed = json.loads(run.invoke(plugin_group, ["list", "--json"], obj=hospital).output)
    assert {"name": "well", "version": "1.0.0", "state": "enabled", "reason": ""} in listed
    assert isinstance(run.invoke(plugin_group, ["doctor", "nobody"], obj=hospital).exception, lifecycle.PluginUnknown)


def test_each_plugin_has_a_page_that_says_the_same(hospital: Platform) -> None:
    harm(hospital)
    with hospital.unit_of_work(SYSTEM) as session:
        about = {"email": "root@example.org", "password": "correct horse battery", "display_name": "Root"}
        admin = service.register(session, SYSTEM, **about, roles=("Admin", "User"))
    browser = Person(create_app(hospital))
    browser.send("/login", email="root@example.org", password="correct horse battery")
    browser.member = admin

    def page(name: str) -> str:
        answer = browser.get(f"/admin/plugins/{name}")
        assert answer.status_code == 200, answer.text
        return str(answer.text)

    assert "ringer.hear has given up" in page("ringer") and "The clapper is missing." in page("ringer")
    assert "stuck_0001" in page("stuck") and "guildhall db upgrade" in page("stuck")
    assert "nothing_of_this_name" in page("unreadable") and "absent" in page("needy")
    wallet: Any = page("wallet")
    assert "Nothing is wrong with it." in wallet and "/api/v1/wallet/" in wallet and "wallet_account" in wallet
    assert "core.member.registered" in page("core")
    assert browser.get("/admin/plugins/nobody").status_code == 404
    assert len(set(re.findall(r'href="/admin/plugins/(\w+)"', browser.get("/admin/plugins").text))) >= 8
