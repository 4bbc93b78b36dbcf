"""Settings are typed and strict, an admin changes them live, and every change is told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import pytest
from pydantic import Field
from sqlalchemy import select, text

from core.actor import Actor
from core.audit.models import AuditRow
from core.errors import Invalid
from core.platform import Platform
from core.plugin import Plugin
from core.settings import SettingRow, Settings, read, write

SYSTEM = Actor.system("test")


class Wishes(Settings):
    limit: int = Field(5, ge=0, le=100, description="How many.")
    mood: Literal["calm", "wild"] = "calm"
    open: bool = True


class Older(Settings):
    """The same settings as an earlier version of the plugin had them."""

    limit: str = "few"
    colour: str = "red"


def alpha(settings: type[Settings] = Wishes) -> Plugin:
    return Plugin("alpha", version="1", label="", settings=settings)


@pytest.fixture
def platform(shop: Any) -> Iterator[Platform]:
    platform: Platform = shop.open(alpha())
    shop.clear(platform)
    yield platform
    platform.database.dispose()


def values(platform: Platform, settings: type[Settings] = Wishes) -> dict[str, Any]:
    with platform.unit_of_work() as session:
        return read(session, settings).model_dump()


def change(platform: Platform, settings: type[Settings] = Wishes, **changes: Any) -> Settings:
    with platform.unit_of_work(SYSTEM) as session:
        return write(session, SYSTEM, settings, changes)


def stored(platform: Platform) -> dict[str, Any]:
    with platform.unit_of_work() as session:
        return dict(session.execute(select(SettingRow.name, SettingRow.value)).tuples().all())


def test_defaults_are_in_force_until_changed(platform: Platform) -> None:
    assert values(platform) == {"limit": 5, "mood": "calm", "open": True}


def test_a_change_is_in_force_in_its_own_process_at_once(platform: Platform) -> None:
    values(platform)
    change(platform, limit=7)
    assert values(platform) == {"limit": 7, "mood": "calm", "open": True}


def test_text_of_a_form_becomes_the_type(platform: Platform) -> None:
    change(platform, limit="7", open="false")
    assert values(platform) == {"limit": 7, "mood": "calm", "open": False}
    assert stored(platform) == {"limit": 7, "open": False}


def test_every_wrong_value_is_told_by_field_and_nothing_is_kept(platform: Platform) -> None:
    with pytest.raises(Invalid) as problem:
        change(platform, limit=101, mood="sad", open=False)
    assert set(problem.value.details) == {"limit", "mood"}
    assert values(platform) == {"limit": 5, "mood": "calm", "open": True}


def test_an_unknown_setting_is_refused(platform: Platform) -> None:
    with pytest.raises(Invalid) as problem:
        change(platform, speed=3)
    assert set(problem.value.details) == {"speed"}


def test_going_back_to_the_default_keeps_no_row(platform: Platform) -> None:
    change(platform, limit=7)
    change(platform, limit=5)
    assert stored(platform) == {}


def test_a_change_is_told_in_the_trail(platform: Platform) -> None:
    change(platform, limit=7, mood="calm")
    with platform.unit_of_work() as session:
        row = session.scalars(select(AuditRow).order_by(AuditRow.id.desc())).first()
        assert row is not None
        assert (row.action, row.subject_id, row.changes) == ("core.settings.changed", "alpha", {"limit": [5, 7]})


def test_what_does_not_change_is_not_told(platform: Platform) -> None:
    with platform.unit_of_work() as session:
        before = session.scalar(text("SELECT count(*) FROM core_audit"))
    change(platform, limit=5)
    with platform.unit_of_work() as session:
        assert session.scalar(text("SELECT count(*) FROM core_audit")) == before


def test_another_process_sees_a_change_when_it_looks_again(shop: Any, platform: Platform) -> None:
    other = shop.open(alpha())
    assert values(other)["limit"] == 5
    change(platform, limit=7)
    assert values(other)["limit"] == 5  # kept for a second
    other.registry.cache.looked_at = 0.0
    assert values(other)["limit"] == 7


def test_a_change_that_is_rolled_back_is_in_force_nowhere(platform: Platform) -> None:
    with pytest.raises(RuntimeError), platform.unit_of_work(SYSTEM) as session:
        write(session, SYSTEM, Wishes, {"limit": 7})
        assert read(session, Wishes).limit == 7
        raise RuntimeError
    assert values(platform)["limit"] == 5


def test_an_admin_with_an_old_page_still_changes_what_is_stored(shop: Any, platform: Platform) -> None:
    other = shop.open(alpha())
    values(other)
    change(platform, limit=7)
    change(other, limit=5)  # the other process still believes that it is 5
    assert stored(platform) == {}


def test_two_changes_of_different_settings_both_stay(shop: Any, platform: Platform) -> None:
    other = shop.open(alpha())
    values(other)
    change(platform, limit=7)
    change(other, mood="wild")
    assert stored(platform) == {"limit": 7, "mood": "wild"}


@pytest.fixture
def locked(shop: Any, platform: Platform, monkeypatch: pytest.MonkeyPatch) -> Platform:
    monkeypatch.setenv("GUILDHALL_SETTING_ALPHA__LIMIT", "42")
    made: Platform = shop.open(alpha())
    return made


def test_the_environment_wins_and_is_typed(platform: Platform, locked: Platform) -> None:
    change(platform, limit=7)
    assert values(locked)["limit"] == 42


def test_what_the_environment_sets_cannot_be_changed(locked: Platform) -> None:
    with pytest.raises(Invalid) as problem:
        change(locked, limit=7, mood="wild")
    assert set(problem.value.details) == {"limit"}
    assert stored(locked) == {}


def test_the_rest_of_a_form_with_a_locked_field_is_saved(locked: Platform) -> None:
    change(locked, limit=42, mood="wild")
    assert stored(locked) == {"mood": "wild"}


@pytest.mark.parametrize(
    ("variable", "value", "reason"),
    [
        ("GUILDHALL_SETTING_ALPHA__LIMIT", "many", "the setting limit cannot be used"),
        ("GUILDHALL_SETTING_ALPHA__SPEED", "3", "the setting speed cannot be used"),
    ],
)
def test_a_wrong_variable_costs_its_plugin_and_is_named(
    shop: Any, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, reason: str
) -> None:
    monkeypatch.setenv(variable, value)
    platform = shop.open(alpha())
    one = next(one for one in platform.found if one.name == "alpha")
    assert one.state == "failed-load"
    assert reason in one.reason
    assert "wallet" in platform.registry.plugins


def test_kept_values_that_a_newer_version_does_not_take_are_its_defaults(shop: Any, platform: Platform) -> None:
    older = shop.open(alpha(Older))
    change(older, Older, limit="lots", colour="blue")
    change(platform, mood="wild")
    assert values(platform) == {"limit": 5, "mood": "wild", "open": True}
    change(platform, limit=9)
    assert values(platform)["limit"] == 9
