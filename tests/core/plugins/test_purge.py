"""A purged plugin leaves nothing but its events and the audit trail; what others build on cannot be purged."""

from __future__ import annotations

from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import create_engine, inspect, pool, text

from core import lifecycle
from core.actor import Actor
from core.commands import plugin_group
from core.db import migrate
from core.errors import NotFound
from core.events.publish import publish
from core.platform import Platform
from core.purge import PluginInUse, PluginStillOn, PurgeFailed, purge

SYSTEM = Actor.system("test")
CODE = """
class Told(Event):
    event_name = "alpha.story.told"

def listen(session, actor, event): ...
"""


@pytest.fixture
def alpha(workshop: Any) -> Any:
    """The plugin alpha with a table, an event and a subscriber."""
    workshop.plugin("alpha", "events=[Told], subscribers=[Subscriber(event=Told, handler=listen)]", CODE)
    workshop.migration("alpha", 1, "CREATE TABLE alpha_thing (id integer PRIMARY KEY)", "DROP TABLE alpha_thing")
    return workshop


def off(platform: Platform, name: str = "alpha") -> None:
    with platform.unit_of_work(SYSTEM) as session:
        lifecycle.set_enabled(session, SYSTEM, name, False)


def tables(url: str) -> set[str]:
    return set(inspect(create_engine(url, poolclass=pool.NullPool)).get_table_names())


def count(platform: Platform, what: str) -> int:
    with platform.unit_of_work() as session:
        return int(session.scalar(text(f"SELECT count(*) FROM {what}")) or 0)


def test_its_tables_settings_and_waiting_deliveries_go(alpha: Any) -> None:
    platform = alpha.boot()
    with platform.unit_of_work(SYSTEM) as session:
        publish(session, SYSTEM, platform.registry.events["alpha.story.told"]())
        session.execute(text("INSERT INTO core_setting VALUES ('alpha', 'colour', '1'), ('beta', 'colour', '1')"))
    off(platform)
    purge(platform, SYSTEM, "alpha")
    assert "alpha_thing" not in tables(alpha.url)
    assert not {one for one in migrate.current(platform.database.engine) if one.startswith("alpha_")}
    for what in ("core_delivery", "core_subscriber WHERE plugin = 'alpha'", "core_setting WHERE plugin = 'alpha'"):
        assert count(platform, what) == 0
    assert count(platform, "core_setting WHERE plugin = 'beta'") == 1
    assert count(platform, "core_event WHERE name = 'alpha.story.told'") == 1
    assert count(platform, "core_audit WHERE action = 'core.plugin.purged' AND subject_id = 'alpha'") == 1


def test_after_a_purge_an_absent_plugin_is_not_remembered(alpha: Any) -> None:
    platform = alpha.boot()
    off(platform)
    purge(platform, SYSTEM, "alpha")
    without = alpha.load(disabled_plugins="alpha")
    without.upgrade()
    assert count(without, "core_subscriber WHERE plugin = 'alpha'") == 0


def test_one_that_is_on_is_refused(alpha: Any) -> None:
    platform = alpha.boot()
    with pytest.raises(PluginStillOn):
        purge(platform, SYSTEM, "alpha")
    assert "alpha_thing" in tables(alpha.url)


def test_one_that_others_build_on_is_refused_though_they_are_off(alpha: Any) -> None:
    alpha.plugin("beta", "requires={'alpha': '>=1'}")
    platform = alpha.boot()
    off(platform, "beta")
    off(platform)
    with pytest.raises(PluginInUse, match="beta"):
        purge(platform, SYSTEM, "alpha")


def test_one_whose_code_is_not_there_is_not_found(alpha: Any) -> None:
    with pytest.raises(NotFound):
        purge(alpha.boot(), SYSTEM, "nowhere")


def test_a_migration_that_cannot_be_undone_leaves_everything(alpha: Any) -> None:
    alpha.migration("alpha", 2, "CREATE TABLE alpha_more (id integer)", "DROP TABLE alpha_mistyped")
    platform = alpha.boot()
    off(platform)
    with pytest.raises(PurgeFailed, match="alpha_mistyped"):
        purge(platform, SYSTEM, "alpha")
    assert {"alpha_thing", "alpha_more"} <= tables(alpha.url)
    assert count(platform, "core_subscriber WHERE plugin = 'alpha'") == 1


def test_the_command_asks(alpha: Any) -> None:
    platform = alpha.boot()
    off(platform)
    run = CliRunner()
    refused = run.invoke(plugin_group, ["purge", "alpha"], obj=platform, input="n\n")
    assert refused.exit_code == 1 and "alpha_thing" in tables(alpha.url)
    assert run.invoke(plugin_group, ["purge", "alpha"], obj=platform, input="y\n").exit_code == 0
    assert "alpha_thing" not in tables(alpha.url)
