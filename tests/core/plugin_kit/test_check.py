"""The check finds what is wrong with a plugin, says where and what to do, and ends whatever the plugin does."""

from __future__ import annotations

import json
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from click.testing import CliRunner

from core.plugin_kit import effects
from core.plugin_kit.check import check, targets
from core.plugin_kit.commands import plugin_group
from core.plugin_kit.errors import NoPluginHere
from tests.conftest import Cluster, test_config

ROOT = Path(__file__).resolve().parents[3]
BUNDLED = sorted(path.parent.name for path in (ROOT / "plugins").glob("*/plugin.py"))
EXAMPLES = sorted(path.parent for path in (ROOT / "docs" / "examples").glob("*/plugin.*"))
ZOO = {
    "noisy": """
        import os, threading
        from guildhall import Plugin, _

        os.environ["NOISY"] = "1"
        threading.Thread(target=len, args=("",)).start()
        open(os.path.join(os.path.dirname(__file__), "made"), "w").close()
        print("hello")
        plugin = Plugin("noisy", version="1", label=_("Noisy"))
        """,
    "nosy": """
        from core.clock import now
        from guildhall import Plugin, _
        from plugins.wallet import transfer
        from plugins.contributions.models import Contribution

        plugin = Plugin("nosy", version="1", label=_("Nosy"), requires={"contributions": ">=0.1"})
        """,
    "leaky": """
        from guildhall import Id, Mapped, Model, Plugin, _

        class Drop(Model):
            __tablename__ = "leaky_drop"
            id: Mapped[Id]

        plugin = Plugin("leaky", version="1", label=_("Leaky"))
        """,
    "drifting": """
        from guildhall import Id, Mapped, Model, Plugin, _

        class Leaf(Model):
            __tablename__ = "drifting_leaf"
            id: Mapped[Id]

        plugin = Plugin("drifting", version="1", label=_("Drifting"))
        """,
    "open_house": """
        from guildhall import Plugin, _
        from guildhall.web import PageBlueprint, RestBlueprint

        pages = PageBlueprint("open_house")
        pages.add_url_rule("/raw", "raw", lambda: "come in")
        rest = RestBlueprint("open_house")

        @rest.get("/broken", signed_in=True)
        @rest.response(200)
        def broken(session, actor):
            raise RuntimeError("no")

        @rest.get("/odd", permission="open_house:door:show")
        @rest.response(200)
        def odd(session, actor):
            return None

        plugin = Plugin("open_house", version="1", label=_("Open"), rest=rest, pages=pages)
        """,
    "broken": "\nraise RuntimeError('no luck today')\n",
    "doubling": """
        from guildhall import Event, Permission, Plugin, Subscriber, _, publish

        class Rang(Event):
            event_name = "doubling.bell.rang"

        def ring(session, actor, event):
            publish(session, actor, Rang())

        plugin = Plugin("doubling", version="1", label="Doubling up", events=[Rang],
            permissions=[Permission("doubling:bell:ring", "Ring it")],
            subscribers=[Subscriber(event="core.member.registered", handler=ring)])
        """,
    "calling": """
        import urllib3
        from guildhall import Event, Plugin, Settings, Subscriber, _, publish
        from pydantic import Field

        class CallingSettings(Settings):
            '''Where it calls.'''
            desk_url: str = Field("", description=_("Address of the desk."))

        class Called(Event):
            '''The desk was called. Not published for anything else.'''
            event_name = "calling.desk.called"

        def desk(session):
            from guildhall import read_settings
            return read_settings(session, CallingSettings).desk_url

        def well(unit_of_work, actor, event):
            with unit_of_work() as session:
                address = desk(session)
            assert urllib3.request("POST", address, json={"id": str(event.id)}, retries=False).json() == {}

        def badly(unit_of_work, actor, event):
            raise KeyError("number")

        def outwards(unit_of_work, actor, event):
            urllib3.request("GET", "http://198.51.100.7/", retries=False, timeout=1)

        def by_name(unit_of_work, actor, event):
            urllib3.request("GET", "http://desk.example.org/", retries=False, timeout=1)

        def again(unit_of_work, actor, event):
            with unit_of_work() as session:
                publish(session, actor, Called())

        plugin = Plugin("calling", version="1", label=_("Calling"), settings=CallingSettings, events=[Called],
            subscribers=[Subscriber(event="core.member.registered", handler=one, kind="external", max_attempts=1)
                for one in (well, badly, outwards, by_name, again)])
        """,
    "tearing": """
        import sys
        from guildhall import Plugin, _, call, hookimpl, hookspec
        from guildhall.web import PageBlueprint, render

        class Specs:
            @staticmethod
            @hookspec
            def tearing_words(session):
                '''Words. *Isolated.* Not called elsewhere.'''

        class Hooks:
            @staticmethod
            @hookimpl
            def tearing_words(session):
                return "words"

        pages = PageBlueprint("tearing")

        @pages.get("/words", signed_in=True)
        def words(session, actor):
            return str(call(session, "tearing_words"))

        plugin = Plugin("tearing", version="1", label=_("Tearing"), pages=pages, hookspecs=Specs, hooks=Hooks)
        """,
}
LEAKY = """
from alembic import op
import sqlalchemy as sa
revision, down_revision, branch_labels, depends_on = "leaky_0001", None, ("leaky",), None
def upgrade(): op.create_table("leaky_drop", sa.Column("id", sa.Uuid(), primary_key=True))
def downgrade(): pass
"""


def write(folder: Path, name: str, source: str) -> Path:
    (folder / name).mkdir(parents=True)
    (folder / name / "plugin.py").write_text(dedent(source))
    return folder / name


@pytest.fixture
def zoo(tmp_path: Path) -> list[str]:
    """A plugin for each way of being wrong."""
    folders = [write(tmp_path, name, source) for name, source in ZOO.items()]
    (tmp_path / "leaky" / "migrations").mkdir()
    (tmp_path / "leaky" / "migrations" / "leaky_0001.py").write_text(LEAKY)
    templates = tmp_path / "doubling" / "templates" / "doubling"
    templates.mkdir(parents=True)
    (templates / "page.html").write_text(
        '<p>{{ _("Fine") }}</p>\n<p title="{{ x }}">Not fine</p>\n{% trans %}Fine{% endtrans %}'
    )
    return [str(folder) for folder in folders]


def test_each_mistake_is_found_where_it_is(zoo: list[str], cluster: Cluster) -> None:
    done = CliRunner().invoke(plugin_group, ["check", "--json", *zoo], obj=test_config())
    assert done.exit_code == 1, done.output
    told = {one["name"]: one for one in json.loads(done.output)["plugins"]}
    found = {
        name: {(f["code"], f["file"], f["line"]) for f in one["findings"] if f["wrong"]} for name, one in told.items()
    }
    codes = {name: {code for code, _file, _line in places} for name, places in found.items()}
    assert {line for code, file, line in found["noisy"] if (code, file) == ("IMPORT_EFFECT", "plugin.py")} == {
        5,
        6,
        7,
        8,
    }
    assert found["nosy"] >= {
        ("IMPORT_HIDDEN", "plugin.py", 2),
        ("IMPORT_UNDECLARED", "plugin.py", 4),
        ("IMPORT_INSIDE", "plugin.py", 5),
    }
    assert codes["leaky"] >= {"MIGRATION_LEAVES", "MIGRATION_FAILS"}
    assert "MIGRATION_DIFFERS" in codes["drifting"]
    assert codes["open_house"] >= {
        "ROUTE_OPEN",
        "ROUTE_UNGUARDED",
        "ROUTE_BREAKS",
        "PERMISSION_UNKNOWN",
        "OPENAPI_INVALID",
    }
    assert ("STATE_FAILED_LOAD", "plugin.py", 2) in found["broken"]
    assert codes["doubling"] >= {"NOT_IDEMPOTENT", "NOT_DESCRIBED", "DOCS_MISSING"}
    assert {line for code, file, line in found["doubling"] if code == "NOT_TRANSLATABLE" and file == "plugin.py"} == {
        10,
        11,
    }
    assert ("NOT_TRANSLATABLE", "templates/doubling/page.html", 2) in found["doubling"]
    assert "HOOK_NOT_ISOLATED" in codes["tearing"]
    _reaches_only_this_machine(told["calling"]["findings"])
    assert codes["noisy"] == {"IMPORT_EFFECT", "DOCS_MISSING"} and codes["tearing"] == {
        "HOOK_NOT_ISOLATED",
        "DOCS_MISSING",
    }


def _reaches_only_this_machine(findings: list[dict[str, Any]]) -> None:
    """What calls the outside is called twice, and only a receiver on this machine answers it."""
    noted = [one["sentence"] for one in findings if one["code"] == "NOT_TRIED"]
    raised = {sentence.split()[0].partition(".")[2]: sentence for sentence in noted}
    assert set(raised) == {"badly", "outwards", "by_name"}, findings
    assert "number" in raised["badly"] and "a receiver for the outside" in raised["badly"]
    assert "it calls 198.51.100.7" in raised["outwards"] and "it calls desk.example.org" in raised["by_name"]
    [twice] = [one["sentence"] for one in findings if one["code"] == "NOT_IDEMPOTENT"]
    assert "calling.again changes core_event" in twice


@pytest.mark.usefixtures("cluster")
def test_the_bundled_plugins_and_the_examples_are_sound() -> None:
    checked = check(test_config(), [*BUNDLED, *map(str, EXAMPLES)])
    assert {one.name: [str(f) for f in one.findings if f.wrong] for one in checked if one.wrong} == {}
    assert len(checked) == len(BUNDLED) + len(EXAMPLES)


@pytest.mark.parametrize(
    ("source", "seconds", "told"),
    [("while True: pass", 3, "longer than 3 seconds"), ("import os\nos._exit(7)", 300, "ended with 7")],
    ids=["never ends", "leaves"],
)
def test_it_ends_whatever_a_plugin_does(
    tmp_path: Path, cluster: Cluster, source: str, seconds: float, told: str
) -> None:
    folder = write(tmp_path, "hanging", source)
    [one] = check(test_config(), [str(folder)], seconds)
    assert one.wrong and told in one.findings[-1].sentence and one.findings[-1].code == "CHECK_ENDED"


def test_an_import_that_ends_the_process_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "leaving", "import os\nos._exit(3)")
    [one] = effects.examine(["leaving"], str(tmp_path))
    assert one.code == "IMPORT_EFFECT" and "ended the process" in one.sentence
    monkeypatch.setattr(effects, "SECONDS", 0.01)
    [one] = effects.examine(["leaving"], str(tmp_path))
    assert "takes longer" in one.sentence


def test_what_is_no_plugin_is_refused(tmp_path: Path) -> None:
    for given in ("nobody", str(tmp_path), "../nowhere"):
        with pytest.raises(NoPluginHere):
            targets(test_config(), [given])
    names, path = targets(test_config(), [])
    assert names == BUNDLED and path == ""


def test_sound_is_told_with_exit_code_0(tmp_path: Path, cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(*_arguments: Any) -> list[Any]:
        from core.plugin_kit.check import Checked

        return [Checked("wallet", ())]

    monkeypatch.setattr("core.plugin_kit.check.check", nothing)
    done = CliRunner().invoke(plugin_group, ["check", "wallet"], obj=test_config())
    assert done.exit_code == 0 and "wallet is sound" in done.output
