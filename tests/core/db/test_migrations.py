"""One runner brings the core and each plugin to its newest revision; one that cannot is left out, and shown."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config as AlembicConfig
from sqlalchemy import create_engine, inspect, pool, text

import plugins
from core.actor import Actor
from core.db import migrate
from core.db.branch import DatabaseUnfit
from core.platform import Platform

ROOT = Path(__file__).resolve().parents[3]
BUNDLED = sorted(folder.parent.name for folder in Path(str(plugins.__file__)).parent.glob("*/migrations"))
TABLE = "CREATE TABLE {0} (id integer PRIMARY KEY)"


def tables(url: str) -> set[str]:
    engine = create_engine(url, poolclass=pool.NullPool)
    return set(inspect(engine).get_table_names())


def revisions(url: str) -> set[str]:
    return migrate.current(create_engine(url, poolclass=pool.NullPool))


def parked(platform: Platform) -> list[str]:
    with platform.unit_of_work() as session:
        return list(session.scalars(text("SELECT revision FROM core_parked_revision ORDER BY 1")))


@pytest.fixture
def three(workshop: Any) -> Any:
    """Plugins alpha ← beta, and well, each with a table."""
    workshop.plugin("alpha")
    workshop.plugin("beta", "requires={'alpha': '>=1'}")
    workshop.plugin("well")
    workshop.migration("alpha", 1, TABLE.format("alpha_thing"), "DROP TABLE alpha_thing")
    beta = "CREATE TABLE beta_thing (id integer PRIMARY KEY, alpha integer REFERENCES alpha_thing)"
    workshop.migration("beta", 1, beta, "DROP TABLE beta_thing")
    workshop.migration("well", 1, TABLE.format("well_thing"), "DROP TABLE well_thing")
    return workshop


def test_plugins_are_migrated_in_dependency_order(workshop: Any) -> None:
    workshop.plugin("zebra")
    workshop.plugin("aardvark", "requires={'zebra': '>=1'}")
    workshop.migration("zebra", 1, TABLE.format("zebra_thing"))
    workshop.migration("aardvark", 1, "CREATE TABLE aardvark_thing (id integer REFERENCES zebra_thing)")
    outcomes = workshop.load().upgrade() if workshop.empty_database() else {}
    assert all(outcome.ok for outcome in outcomes.values())
    assert list(outcomes).index("zebra") < list(outcomes).index("aardvark")
    assert {"zebra_thing", "aardvark_thing"} <= tables(workshop.url)


def test_runners_at_once_on_an_empty_database_do_it_once(three: Any) -> None:
    three.empty_database()
    runners = [three.load() for _ in range(3)]
    with ThreadPoolExecutor(3) as threads:
        outcomes = list(threads.map(lambda runner: runner.upgrade(), runners))
    assert [name for one in outcomes for name, outcome in one.items() if not outcome.ok] == []
    assert {"alpha_0001", "beta_0001", "well_0001"} | migrate.heads([migrate.CORE]) <= revisions(three.url)
    with runners[0].unit_of_work() as session:
        assert session.scalar(text("SELECT count(*) - count(DISTINCT name) FROM ab_role")) == 0


def test_a_second_run_changes_nothing(three: Any) -> None:
    platform = three.boot()
    dump = "SELECT string_agg(t::text, '|' ORDER BY 1) FROM {} t"

    def contents() -> list[Any]:
        with platform.unit_of_work() as session:
            names = sorted(tables(three.url) - {"core_plugin", "core_subscriber", "core_generation"})
            return [session.scalar(text(dump.format(name))) for name in names]

    before = contents()
    assert all(outcome.ok for outcome in platform.upgrade().values())
    assert contents() == before


@pytest.mark.parametrize("name", ["core", *BUNDLED])
def test_models_and_tables_agree(clean_platform: Platform, name: str) -> None:
    assert migrate.differences(clean_platform.database.url, clean_platform.branches, name) == []


def test_a_table_without_a_migration_is_a_difference(workshop: Any) -> None:
    thing = "class Thing(Model):\n    __tablename__ = 'alpha_thing'\n    id: Mapped[Id]\n"
    workshop.plugin("alpha", "resources=[Resource(Thing)]", thing)
    platform = workshop.boot()
    found = migrate.differences(workshop.url, platform.branches, "alpha")
    assert [one[0] for one in found] == ["add_table"]
    assert migrate.differences(workshop.url, platform.branches, "core") == []


@pytest.mark.parametrize("name", BUNDLED)
def test_each_bundled_plugin_goes_down_and_up_again(platform: Platform, name: str) -> None:
    every = [migrate.CORE, *platform.branches]
    dependants = {branch.name for branch in platform.branches if name in branch.requires}
    while more := {b.name for b in platform.branches if dependants & set(b.requires)} - dependants:
        dependants |= more
    order = [branch.name for branch in platform.branches if branch.name in {name, *dependants}]
    full = tables(platform.database.url)
    with platform.database.engine.connect() as connection:
        for one in reversed([one for one in order if one in BUNDLED]):
            command.downgrade(migrate.settings(every, connection), f"{one}@base")
            connection.commit()
    assert {table for table in tables(platform.database.url) if table.startswith(f"{name}_")} == set()
    assert all(outcome.ok for outcome in platform.upgrade().values())
    assert tables(platform.database.url) == full
    assert migrate.differences(platform.database.url, platform.branches, name) == []


BROKEN = {
    "raises": ("raise RuntimeError('no luck today')", "RuntimeError: no luck today"),
    "asserts without a word": ("assert False", "AssertionError: "),
    "bad SQL": ("op.execute('CREATE TABEL alpha_more ()')", "syntax error"),
}


@pytest.mark.parametrize(("body", "reason"), BROKEN.values(), ids=BROKEN)
def test_a_failing_migration_is_contained_and_leaves_the_last_whole_revision(
    three: Any, states: Any, body: str, reason: str
) -> None:
    three.migration("alpha", 2, f"op.execute('CREATE TABLE alpha_half (id integer)'); {body}")
    found = states(three.boot())
    assert found["alpha"][0] == "failed-migration"
    assert reason in found["alpha"][1]
    assert found["beta"] == ("failed-migration", "it builds on alpha, which could not be migrated")
    assert {state for name, (state, _) in found.items() if name not in ("alpha", "beta")} == {"enabled"}
    made = tables(three.url)
    assert {"alpha_thing", "well_thing"} <= made
    assert not {"alpha_half", "beta_thing"} & made
    assert "alpha_0001" in revisions(three.url)


UNREADABLE = {
    "does not parse": "def (",
    "raises at import": "raise RuntimeError('no luck today')",
    "follows nothing": "revision = 'alpha_0002'\ndown_revision = 'alpha_0007'\nbranch_labels = depends_on = None",
    "takes another's name": "revision = 'well_0001'\ndown_revision = 'alpha_0001'\nbranch_labels = depends_on = None",
    "is of no plugin": "revision = 'ab12cd34'\ndown_revision = 'alpha_0001'\nbranch_labels = depends_on = None",
}


@pytest.mark.parametrize("source", UNREADABLE.values(), ids=UNREADABLE)
def test_a_revision_that_cannot_be_read_is_contained(three: Any, states: Any, source: str) -> None:
    (three.folder / "alpha" / "migrations" / "next.py").write_text(source + "\ndef upgrade(): ...\n")
    found = states(three.boot())
    assert {name for name, (state, _) in found.items() if state == "failed-migration"} == {"alpha", "beta"}
    assert {state for state, _ in found.values()} == {"enabled", "failed-migration"}
    assert "well_thing" in tables(three.url)


def test_a_mended_migration_brings_the_plugin_back(three: Any, states: Any) -> None:
    three.migration("alpha", 2, "raise RuntimeError('no luck today')")
    three.boot()
    three.migration("alpha", 2, TABLE.format("alpha_more"))
    assert {state for state, _ in states(three.boot()).values()} == {"enabled"}
    assert {"alpha_more", "beta_thing"} <= tables(three.url)


def test_routes_of_a_plugin_that_failed_to_migrate_are_off(three: Any) -> None:
    from app import create_app

    code = """
from flask import Blueprint
from core.rest.blueprint import RestBlueprint
rest = RestBlueprint("alpha")
@rest.get("/hello", public=True)
@rest.response(200)
def hello(session, actor):
    return {}
"""
    three.plugin("alpha", "rest=rest", code)
    client = create_app(three.boot()).test_client()
    assert client.get("/api/v1/alpha/hello").status_code == 200
    three.migration("alpha", 2, "raise RuntimeError('no luck today')")
    client = create_app(three.boot()).test_client()
    assert client.get("/api/v1/alpha/hello").status_code == 404


def test_a_failing_seed_costs_its_plugin_and_those_that_build_on_it(workshop: Any, states: Any) -> None:
    workshop.plugin("alpha", "seed=seed", "def seed(session, actor):\n    raise RuntimeError('no luck today')\n")
    workshop.plugin("beta", "requires={'alpha': '>=1'}, seed=seed", "def seed(session, actor): ...\n")
    found = states(workshop.boot())
    assert found["alpha"] == ("failed-migration", "its seed failed: RuntimeError: no luck today")
    assert found["beta"] == ("failed-migration", "it builds on alpha, whose seed failed")
    assert {state for name, (state, _) in found.items() if name not in ("alpha", "beta")} == {"enabled"}


def test_an_uninstalled_plugin_is_parked_with_its_tables_and_comes_back(three: Any) -> None:
    three.boot()
    gone = three.boot(disabled_plugins="alpha,beta")
    assert parked(gone) == ["alpha_0001", "beta_0001"]
    assert {"alpha_thing", "beta_thing"} <= tables(three.url)
    assert not {"alpha_0001", "beta_0001"} & revisions(three.url)
    back = three.boot()
    assert parked(back) == []
    assert {"alpha_0001", "beta_0001"} <= revisions(three.url)


def test_a_parked_plugin_may_come_back_newer(three: Any) -> None:
    three.boot()
    three.boot(disabled_plugins="well")
    three.migration("well", 2, TABLE.format("well_more"))
    three.boot()
    assert "well_0002" in revisions(three.url)
    assert "well_more" in tables(three.url)


def test_a_parked_neighbour_with_a_longer_name_is_no_newer_version(workshop: Any, states: Any) -> None:
    workshop.plugin("sug")
    workshop.plugin("sug_box")
    workshop.migration("sug", 1, TABLE.format("sug_thing"))
    workshop.migration("sug_box", 1, TABLE.format("sug_box_thing"))
    workshop.boot()
    workshop.migration("sug", 2, TABLE.format("sug_more"))
    assert states(workshop.boot(disabled_plugins="sug_box"))["sug"] == ("enabled", "")


def test_a_plugin_older_than_its_tables_is_off_until_the_newer_one_is_back(three: Any, states: Any) -> None:
    three.migration("well", 2, TABLE.format("well_more"))
    three.boot()
    newer = three.folder / "well" / "migrations" / "well_0002.py"
    source = newer.read_text()
    newer.unlink()
    reason = "the database is newer than this version: it is at well_0002"
    assert states(three.boot())["well"] == ("failed-migration", reason)
    assert states(three.boot())["well"] == ("failed-migration", reason)
    newer.write_text(source)
    assert states(three.boot())["well"] == ("enabled", "")


def test_a_database_of_a_newer_core_is_refused_and_left_alone(workshop: Any) -> None:
    platform = workshop.boot()
    with platform.unit_of_work() as session:
        session.execute(text("UPDATE alembic_version SET version_num = 'core_9999' WHERE version_num LIKE 'core%'"))
    before = revisions(workshop.url)
    with pytest.raises(DatabaseUnfit, match="newer than this Guildhall: it is at core_9999"):
        platform.upgrade()
    assert revisions(workshop.url) == before


def test_a_plugin_whose_name_begins_with_core_may_be_uninstalled(workshop: Any) -> None:
    workshop.plugin("core_tools")
    workshop.migration("core_tools", 1, TABLE.format("core_tools_thing"))
    workshop.boot()
    assert parked(workshop.boot(disabled_plugins="core_tools")) == ["core_tools_0001"]


def test_plain_alembic_is_refused(workshop: Any) -> None:
    config = AlembicConfig()
    config.set_main_option("script_location", str(ROOT / "migrations"))
    config.set_main_option("sqlalchemy.url", workshop.url.replace("%", "%%"))
    with pytest.raises(SystemExit, match="guildhall db upgrade"):
        command.upgrade(config, "heads")


def test_the_next_revision_is_written_for_one_plugin_alone(workshop: Any) -> None:
    thing = "class Thing(Model):\n    __tablename__ = 'alpha_thing'\n    id: Mapped[Id]\n    title: Mapped[ShortText]\n"
    workshop.plugin("alpha", "resources=[Resource(Thing)]", thing)
    platform = workshop.boot()
    path = Path(migrate.revision(workshop.url, platform.branches, "alpha", "things"))
    assert path.parent == workshop.folder / "alpha" / "migrations"
    source = path.read_text()
    assert "op.create_table('alpha_thing'" in source
    assert source.count("op.create_table") == 1
    assert platform.upgrade()["alpha"].ok
    assert migrate.differences(workshop.url, platform.branches, "alpha") == []


def test_a_plugin_manifest_by_hand_needs_no_migrations(workshop: Any) -> None:
    from core.plugin import Plugin

    platform = workshop.load(extra=[Plugin("handmade", version="1", label="")]) if workshop.url else None
    assert platform is not None
    platform.upgrade()
    with platform.unit_of_work(Actor.system("test")) as session:
        assert session.scalar(text("SELECT reason FROM core_plugin WHERE name = 'handmade'")) == ""
