"""The platform boots, migrates and says what it found."""

from __future__ import annotations

from sqlalchemy import text

from core.platform import Platform


def test_every_bundled_plugin_is_enabled(platform: Platform) -> None:
    assert {one.name: one.reason for one in platform.found if one.state != "enabled"} == {}


def test_upgrade_changes_nothing_the_second_time(platform: Platform) -> None:
    with platform.unit_of_work() as session:
        before = session.scalar(text("SELECT count(*) FROM ab_permission_view"))
    platform.upgrade()
    with platform.unit_of_work() as session:
        assert session.scalar(text("SELECT count(*) FROM ab_permission_view")) == before
