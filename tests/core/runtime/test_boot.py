"""A start on a warm database asks little of it, however many plugins there are."""

from __future__ import annotations

from typing import Any

from sqlalchemy import text

from bench.startup import BOOT_LIMIT, statements_of_boot
from core.actor import Actor
from core.plugin import Plugin
from tests.core.workshop import plain_logs as plain_logs
from tests.core.workshop import shop as shop


def test_a_boot_with_every_plugin_takes_at_most_twelve_statements(platform: Any) -> None:
    platform.upgrade()
    sent = statements_of_boot(platform.config, platform.database.url)
    assert len(sent) <= BOOT_LIMIT, sent


def test_a_seed_runs_again_when_the_code_or_a_migration_made_it_due(platform: Any, monkeypatch: Any) -> None:
    platform.upgrade()
    ran: list[str] = []
    monkeypatch.setattr(
        type(platform), "_seed", lambda self, plugin, outcomes: ran.append(plugin.name) or outcomes["core"]
    )
    platform.upgrade()
    assert ran == []
    with platform.unit_of_work(Actor.system("test")) as session:
        session.execute(text("DELETE FROM core_plugin WHERE name = 'wallet'"))
    platform.upgrade()
    assert ran == ["wallet"]
    monkeypatch.setattr(type(platform), "_fingerprint", lambda self: "other code")
    platform.upgrade()
    assert set(ran) == set(platform.registry.plugins)


def test_a_plugin_given_by_hand_is_seeded_at_each_start(shop: Any) -> None:
    ran: list[int] = []
    plugin = Plugin("alpha", version="1", label="", seed=lambda session, actor: ran.append(1))
    platform = shop.open(plugin)
    platform.upgrade()
    platform.upgrade()
    assert ran == [1, 1]
