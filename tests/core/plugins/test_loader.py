"""Whatever is wrong with a plugin, the platform boots, the others are enabled, and the reason is shown."""

from __future__ import annotations

import shutil
import sys
from typing import Any

import pytest
from sqlalchemy import select, text

from core.actor import Actor
from core.db.base import Model, metadata, modules_with_models
from core.lifecycle import PluginRow
from core.members.models import Member
from core.platform import Platform
from guildhall import new_id
from tests.core.plugins.conftest import BUNDLED
from tests.core.workshop import IMPORTS

MODEL = """
class Thing(Model):
    __tablename__ = "{table}"
    id: Mapped[Id]
    {column}: Mapped[ShortText]
"""
EVENT = """
class Happened(Event):
    event_name = "{name}"
"""
TWO_HANDLERS = """
def react(session, actor, event): ...
first = react
def react(session, actor, event): ...
"""
FAILURES = {
    "raises at import": ("raise RuntimeError('no luck today')", "RuntimeError: no luck today"),
    "leaves at import": ("raise SystemExit(3)", "SystemExit: 3"),
    "does not parse": ("def (", "SyntaxError: invalid syntax (plugin.py, line 1)"),
    "no manifest": ("x = 1", "plugin.py has no manifest: an object `plugin` of type Plugin"),
    "manifest of another type": ("plugin = {'name': 'odd'}", "plugin.py has no manifest"),
    "wrong name": (
        "from guildhall import Plugin\nplugin = Plugin('other', version='1', label='')",
        "the folder is called odd, the manifest other",
    ),
    "requirements that are no mapping": (
        "from guildhall import Plugin\nplugin = Plugin('odd', version='1', label='', requires=['wallet'])",
        "requires maps a plugin's name to its versions",
    ),
}
DECLARATIONS = {
    "permission of another plugin": (
        "",
        "permissions=[Permission('wallet:thing:show', '')]",
        "the permission wallet:thing:show must read odd:<resource>:<action>",
    ),
    "permission in two parts": (
        "",
        "permissions=[Permission('odd:thing', '')]",
        "the permission odd:thing must read odd:<resource>:<action>",
    ),
    "permission declared twice": (
        "",
        "permissions=[Permission('odd:thing:show', '')] * 2",
        "the permission odd:thing:show is declared twice",
    ),
    "permission that a resource declares already": (
        MODEL.format(table="odd_thing", column="title"),
        "resources=[Resource(Thing)], permissions=[Permission('odd:thing:show', '')]",
        "the permission odd:thing:show is declared twice",
    ),
    "route declared twice": (
        "from guildhall.web import RestBlueprint\nrest = RestBlueprint('odd')\n"
        "for _ in 'ab': rest.post('/things/<uuid:key>', public=True)(print)\n",
        "rest=rest",
        "the route POST /api/v1/odd/things/<uuid> is declared twice",
    ),
    "event declared twice": (
        EVENT.format(name="odd.thing.happened"),
        "events=[Happened, Happened]",
        "the event odd.thing.happened is declared twice",
    ),
    "event of another plugin": (
        EVENT.format(name="wallet.thing.happened"),
        "events=[Happened]",
        "the event wallet.thing.happened must read odd.<thing>.<past verb>",
    ),
    "event in two parts": (
        EVENT.format(name="odd.happened"),
        "events=[Happened]",
        "the event odd.happened must read odd.<thing>.<past verb>",
    ),
    "event without a name": ("class Happened(Event): ...", "events=[Happened]", "event_name"),
    "two subscribers of one name": (
        TWO_HANDLERS,
        "subscribers=[Subscriber(event='core.member.registered', handler=one) for one in (first, react)]",
        "two subscribers are called react",
    ),
    "external subscriber in batches": (
        "def call(unit_of_work, actor, event): ...",
        "subscribers=[Subscriber(event='core.member.registered', handler=call, kind='external', batch=5)]",
        "the external subscriber call takes one event at a time",
    ),
    "two jobs of one name": (
        "",
        "jobs=[Job(name='sweep', label='', run=print)] * 2",
        "two jobs are called sweep",
    ),
    "schedule of an unknown job": (
        "",
        "schedules=[Schedule(name='nightly', job='sweep', every=timedelta(days=1))]",
        "the schedule nightly runs the unknown job sweep",
    ),
    "reserved column": (
        MODEL.format(table="odd_thing", column="data"),
        "resources=[Resource(Thing)]",
        "odd.thing: the column name data is reserved",
    ),
    "reserved column in a table without a resource": (
        MODEL.format(table="odd_thing", column="errors"),
        "",
        "odd_thing: the column name errors is reserved",
    ),
    "table of another plugin": (
        MODEL.format(table="wallet_thing", column="title"),
        "resources=[Resource(Thing)]",
        "the table wallet_thing must begin with odd_",
    ),
    "the same resource twice": (
        MODEL.format(table="odd_thing", column="title"),
        "resources=[Resource(Thing), Resource(Thing)]",
        "two resources are called odd.thing",
    ),
    "resource with an unknown action": (
        MODEL.format(table="odd_thing", column="title"),
        "resources=[Resource(Thing, actions=('list', 'fly'))]",
        "odd.thing has the unknown action fly",
    ),
    "resource with an unknown column": (
        MODEL.format(table="odd_thing", column="title"),
        "resources=[Resource(Thing, search=('name',))]",
        "odd.thing names columns that it does not have: name",
    ),
    "resource ordered by an unknown column": (
        MODEL.format(table="odd_thing", column="title"),
        "resources=[Resource(Thing, order='-age')]",
        "odd.thing names columns that it does not have: age",
    ),
    "resource ordered by what may be empty": (
        MODEL.format(table="odd_thing", column="title").replace("Mapped[ShortText]", "Mapped[ShortText | None]"),
        "resources=[Resource(Thing, order='title')]",
        "odd.thing is ordered by title, which may be empty",
    ),
    "resource searched by what is no text": (
        MODEL.format(table="odd_thing", column="title"),
        "resources=[Resource(Thing, search=('id',))]",
        "odd.thing searches id by the beginning, which only text has",
    ),
    "resource that lists an unknown column": (
        MODEL.format(table="odd_thing", column="title"),
        "resources=[Resource(Thing, columns=('title', 'author.name'))]",
        "odd.thing lists columns that it does not have: author.name",
    ),
    "resource with an unknown column in a section": (
        MODEL.format(table="odd_thing", column="title"),
        "resources=[Resource(Thing, sections=(Section(title='What', fields=('title', 'age')),))]",
        "odd.thing has columns in sections that it does not have: age",
    ),
    "resource with a column in two sections": (
        MODEL.format(table="odd_thing", column="title"),
        "resources=[Resource(Thing, sections=tuple(Section(title=one, fields=('title',)) for one in 'AB'))]",
        "odd.thing has title in two sections",
    ),
    "resource that shows what does not refer to it": (
        MODEL.format(table="odd_thing", column="title"),
        "resources=[Resource(Thing, inline=(Inline(model=Thing, by='thing_id'),))]",
        "odd.thing shows odd_thing by thing_id, which that table does not have",
    ),
    "restorable resource that nobody can make": (
        MODEL.format(table="odd_thing", column="title"),
        "resources=[Resource(Thing, actions=('list', 'show', 'delete'), restorable=True)]",
        "odd.thing is restorable, which takes the actions create and delete and the audit trail",
    ),
    "role pattern in two parts": (
        "",
        "roles=[Role('User', ('odd:*',))]",
        "the role User grants odd:*, which must read <plugin>:<resource>:<action>",
    ),
    "settings without a default": (
        "class Wishes(Settings):\n    limit: int\n",
        "settings=Wishes",
        "the setting limit",
    ),
    "hook that nobody specifies": (
        "class Hooks:\n    @hookimpl\n    def fly_away(self, session): ...\n",
        "hooks=Hooks()",
        "it implements hooks that nobody specifies: fly_away",
    ),
    "hook with an unknown argument": (
        "class Hooks:\n    @hookimpl\n    def unread_count(self, session, colour): ...\n",
        "hooks=Hooks()",
        "colour",
    ),
    "hook that somebody specifies already": (
        "class Specs:\n    @hookspec\n    def unread_count(session): ...\n",
        "hookspecs=Specs",
        "unread_count",
    ),
}


EVERY_CODE = """
class Left(Event):
    event_name = "odd.left.behind"
class LeftSpecs:
    @hookspec
    def odd_left_behind(session): ...
def left(session, actor, event): ...
"""
EVERYTHING = {
    "hookspecs": "LeftSpecs",
    "events": "[Left]",
    "subscribers": "[Subscriber(event=Left, handler=left)]",
    "roles": "[Role('Left', ('wallet:*:*',))]",
}


def footprint(platform: Platform) -> Any:
    """Everything that a plugin can leave in a platform and in the process."""
    registry = platform.registry
    parts = (registry.resources, registry.permissions, registry.events, registry.subscribers, registry.jobs)
    parts += (registry.schedules, registry.roles, registry._by_event, registry._owner_of_settings)
    hooks = {name: len(caller.get_hookimpls()) for name, caller in vars(registry.hooks.hook).items()}
    models = {mapper.class_.__name__ for mapper in Model.registry.mappers}
    return [sorted(map(str, part)) for part in parts], hooks, models, set(metadata.tables), "odd" in sys.modules


@pytest.mark.parametrize(("source", "reason"), FAILURES.values(), ids=FAILURES)
def test_a_module_that_is_no_plugin_costs_only_itself(workshop: Any, loaded: Any, source: str, reason: str) -> None:
    workshop.source("odd", source)
    workshop.plugin("well")
    state, shown = loaded("odd")["odd"]
    assert state == "failed-load"
    assert reason in shown


@pytest.mark.parametrize(("code", "manifest", "reason"), DECLARATIONS.values(), ids=DECLARATIONS)
def test_a_wrong_declaration_costs_only_its_plugin(
    workshop: Any, loaded: Any, code: str, manifest: str, reason: str
) -> None:
    workshop.plugin("odd", manifest, code)
    workshop.plugin("well")
    state, shown = loaded("odd")["odd"]
    assert state == "failed-load"
    assert reason in shown


def test_the_platform_boots_and_works_with_every_failure_at_once(workshop: Any, states: Any) -> None:
    for number, (source, _) in enumerate(FAILURES.values()):
        workshop.source(f"source{number}", source)
    for number, (code, manifest, _) in enumerate(DECLARATIONS.values()):
        name = f"declared{number}"
        workshop.plugin(name, manifest.replace("odd", name), code.replace("odd", name))
    workshop.plugin("zeal", "requires={'wallet': '>=0'}")
    platform = workshop.boot()
    enabled = {name for name, (state, _) in states(platform).items() if state == "enabled"}
    assert enabled == {*BUNDLED, "zeal"}
    with platform.unit_of_work(Actor.system("test")) as session:
        session.add(Member(id=new_id(), display_name="Amina"))


@pytest.mark.parametrize(("code", "manifest", "reason"), DECLARATIONS.values(), ids=DECLARATIONS)
def test_nothing_is_left_of_a_plugin_that_failed(workshop: Any, code: str, manifest: str, reason: str) -> None:
    before = footprint(workshop.load())
    given = {part.split("=")[0].strip() for part in manifest.split(", ") if "=" in part}
    more = [f"{part}={value}" for part, value in EVERYTHING.items() if part not in given]
    workshop.plugin("odd", ", ".join([*filter(None, [manifest]), *more]), code + EVERY_CODE)
    assert footprint(workshop.load()) == before


def test_a_failed_plugin_fails_alike_each_time(workshop: Any) -> None:
    code, manifest, _ = DECLARATIONS["reserved column"]
    workshop.plugin("odd", manifest, code)
    workshop.source("loud", IMPORTS + MODEL.format(table="loud_thing", column="title") + "raise RuntimeError('no')")
    first, second = ([(one.name, one.reason) for one in workshop.load().found] for _ in range(2))
    assert first == second


def test_a_module_that_fails_after_making_a_model_leaves_none(workshop: Any) -> None:
    workshop.source("loud", IMPORTS + MODEL.format(table="loud_thing", column="title") + "raise RuntimeError('no')")
    kept = workshop.load().found  # its traceback holds the model, so that no garbage collection can hide it
    assert [one.reason for one in kept if one.name == "loud"] == ["RuntimeError: no"]
    assert not [name for name in modules_with_models() if name.startswith("loud")]


def test_a_model_with_a_broken_relation_costs_only_its_plugin(workshop: Any, loaded: Any) -> None:
    relation = "from sqlalchemy.orm import relationship\n" + MODEL.format(table="odd_thing", column="title")
    workshop.plugin("odd", code=relation + "    other = relationship('NobodyKnowsThis')\n")
    state, reason = loaded("odd")["odd"]
    assert state == "failed-load"
    assert "NobodyKnowsThis" in reason


def test_the_traceback_of_a_failed_import_is_kept(workshop: Any) -> None:
    workshop.source("odd", "raise RuntimeError('no luck today')")
    one = next(one for one in workshop.load().found if one.name == "odd")
    assert "plugin.py" in one.traceback
    assert "no luck today" in one.traceback


def test_a_failed_plugin_may_be_mended_and_loaded(workshop: Any) -> None:
    code, _, _ = DECLARATIONS["reserved column"]
    folder = workshop.plugin("odd", "resources=[Resource(Thing)]", code)
    workshop.load()
    shutil.rmtree(folder)
    workshop.plugin("odd", "resources=[Resource(Thing)]", code.replace("data:", "dates:"))
    assert "odd.thing" in workshop.load().registry.resources


def test_members_of_a_circle_are_named(workshop: Any, loaded: Any) -> None:
    workshop.plugin("alpha", "requires={'beta': '>=1'}")
    workshop.plugin("beta", "requires={'alpha': '>=1'}")
    workshop.plugin("leaf", "requires={'beta': '>=1'}")
    found = loaded("alpha", "beta", "leaf")
    for name in ("alpha", "beta"):
        state, reason = found[name]
        assert state == "failed-load"
        assert reason.startswith("plugins require each other: ")
        assert "alpha → beta" in reason or "beta → alpha" in reason
    assert found["leaf"][0] == "missing-dependency"
    assert "beta is failed-load: plugins require each other" in found["leaf"][1]


def test_a_plugin_that_requires_itself_is_a_circle(workshop: Any, loaded: Any) -> None:
    workshop.plugin("alpha", "requires={'alpha': '>=1'}")
    assert loaded("alpha")["alpha"] == ("failed-load", "plugins require each other: alpha → alpha")


def test_a_missing_dependency_is_named(workshop: Any, loaded: Any) -> None:
    workshop.plugin("alpha", "requires={'treasury': '>=1'}")
    reason = "it needs the plugin treasury, which is not installed"
    assert loaded("alpha")["alpha"] == ("missing-dependency", reason)


def test_dependants_of_a_failed_plugin_name_it(workshop: Any, loaded: Any) -> None:
    workshop.source("alpha", "raise RuntimeError('no luck today')")
    workshop.plugin("beta", "requires={'alpha': '>=1'}")
    workshop.plugin("gamma", "requires={'beta': '>=1'}")
    found = loaded("alpha", "beta", "gamma")
    assert found["beta"] == ("missing-dependency", "alpha is failed-load: RuntimeError: no luck today")
    assert found["gamma"][0] == "missing-dependency"
    assert found["gamma"][1].startswith("beta is missing-dependency: alpha is failed-load")


@pytest.mark.parametrize(
    ("versions", "reason"),
    [(">=2", "it needs alpha >=2, but 1.0.0 is installed"), ("about two", "Invalid specifier: 'about two'")],
)
def test_an_incompatible_version_is_told(workshop: Any, loaded: Any, versions: str, reason: str) -> None:
    workshop.plugin("alpha")
    workshop.plugin("beta", f"requires={{'alpha': {versions!r}}}")
    assert loaded("beta")["beta"] == ("incompatible", reason)


def test_a_plugin_that_needs_a_newer_core_is_told(workshop: Any, loaded: Any) -> None:
    workshop.plugin("alpha", "requires={'core': '>=99'}")
    assert loaded("alpha")["alpha"] == ("incompatible", "it needs core >=99, but 0.1.0 is installed")


def test_plugins_load_in_dependency_order_then_by_name(workshop: Any) -> None:
    workshop.plugin("aardvark", "requires={'zebra': '>=1'}")
    workshop.plugin("zebra")
    workshop.plugin("middle")
    names = [name for name in workshop.load().registry.plugins if name in ("aardvark", "zebra", "middle")]
    assert names.index("zebra") < names.index("aardvark")
    assert names == [name for name in workshop.load().registry.plugins if name in names]


def test_states_are_kept_for_every_plugin_that_loads(workshop: Any) -> None:
    workshop.source("odd", "raise RuntimeError('no luck today')")
    workshop.plugin("well")
    platform = workshop.boot()
    with platform.unit_of_work() as session:
        kept = set(session.scalars(select(PluginRow.name)))
        assert kept == set(platform.registry.plugins)
        assert session.scalar(text("SELECT version FROM core_plugin WHERE name = 'well'")) == "1.0.0"


def test_a_platform_without_database_still_loads() -> None:
    from tests.conftest import test_config

    assert set(Platform(test_config(), "postgresql+psycopg:///nowhere", None).registry.plugins) >= BUNDLED
