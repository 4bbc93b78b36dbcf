"""Plugins are found in folders and behind entry points; a name that is taken is refused, and safe mode finds none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from core.plugin import Permission, Plugin


def test_a_second_plugin_of_a_bundled_name_is_refused_and_shown(workshop: Any) -> None:
    workshop.plugin("wallet")
    found = [one for one in workshop.boot().found if one.name.startswith("wallet")]
    assert [one.state for one in found] == ["enabled", "failed-load"]
    assert f"{Path('plugins') / 'wallet'}" in found[1].reason
    assert found[1].folder == str(workshop.folder / "wallet")


def test_safe_mode_loads_the_core_alone(workshop: Any) -> None:
    workshop.plugin("alpha")
    platform = workshop.boot(safe_mode=True)
    assert set(platform.registry.plugins) == {"core"}
    assert platform.found == []


def test_plugins_come_back_after_safe_mode(workshop: Any, states: Any) -> None:
    workshop.boot(safe_mode=True)
    assert {state for state, _ in states(workshop.boot()).values()} == {"enabled"}


def test_disabled_plugins_are_not_even_imported(workshop: Any, loaded: Any) -> None:
    workshop.source("odd", "raise RuntimeError('imported')")
    workshop.plugin("well")
    loaded(disabled_plugins="odd, nobody")


def test_a_manifest_given_by_hand_is_a_plugin_like_any_other(workshop: Any, states: Any) -> None:
    made = Plugin("handmade", version="1", label="", permissions=[Permission("handmade:thing:show", "")])
    platform = workshop.boot(extra=[made])
    assert states(platform)["handmade"] == ("enabled", "")
    assert "handmade:thing:show" in platform.registry.permissions


def test_a_plugin_folder_may_have_spaces_and_relatives(workshop: Any) -> None:
    workshop.folder = workshop.folder / "two words"
    workshop.folder.mkdir()
    workshop.plugin("spaced", code="from .words import word")
    (workshop.folder / "spaced" / "words.py").write_text("word = 'hello'")
    assert "spaced" in workshop.load().registry.plugins


class Distribution:
    """An installed package with an entry point, as a wheel leaves it."""

    def __init__(self, site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.site = site
        monkeypatch.syspath_prepend(str(site))

    def install(self, name: str, source: str, target: str = "plugin:plugin") -> None:
        package = self.site / f"guild_{name}"
        package.mkdir()
        (package / "__init__.py").touch()
        (package / "plugin.py").write_text(source)
        info = self.site / f"guild_{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: guild-{name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[guildhall.plugins]\n{name} = guild_{name}.{target}\n")


@pytest.fixture
def distribution(workshop: Any, monkeypatch: pytest.MonkeyPatch) -> Distribution:
    site = workshop.folder / "site"
    site.mkdir()
    return Distribution(site, monkeypatch)


def manifest(name: str) -> str:
    return f"from guildhall import Plugin\nplugin = Plugin({name!r}, version='1', label='')\n"


def test_an_installed_package_is_found_by_its_entry_point(workshop: Any, distribution: Distribution) -> None:
    distribution.install("packed", manifest("packed"))
    platform = workshop.load()
    one = next(one for one in platform.found if one.name == "packed")
    assert (one.state, one.folder) == ("enabled", str(distribution.site / "guild_packed"))


@pytest.mark.parametrize(
    ("source", "target", "reason"),
    [
        ("raise RuntimeError('no luck today')", "plugin:plugin", "RuntimeError: no luck today"),
        ("plugin = 'a string'", "plugin:plugin", "has no manifest"),
        ("plugin = None", "plugin:plugin", "has no manifest"),
        ("", "nothing:plugin", "No module named"),
        (manifest("other"), "plugin:plugin", "packed"),
    ],
    ids=["raises", "no manifest", "nothing", "no module", "another name"],
)
def test_a_bad_entry_point_costs_only_itself(
    loaded: Any, distribution: Distribution, source: str, target: str, reason: str
) -> None:
    distribution.install("packed", source, target)
    state, shown = loaded("packed")["packed"]
    assert state == "failed-load"
    assert reason in shown


def test_a_disabled_entry_point_is_not_loaded(loaded: Any, distribution: Distribution) -> None:
    distribution.install("packed", "raise RuntimeError('imported')")
    loaded(disabled_plugins="packed")


@pytest.mark.parametrize("name", ["json", "tabnanny"])
def test_a_name_of_a_python_package_is_refused(workshop: Any, loaded: Any, name: str) -> None:
    workshop.plugin(name)
    state, reason = loaded(name)[name]
    assert state == "failed-load"
    assert f"the name {name} is taken by the Python package" in reason


def test_a_plugin_of_another_folder_is_not_taken_for_this_one(workshop: Any, loaded: Any) -> None:
    workshop.plugin("twice", version="1")
    assert workshop.load().registry.plugins["twice"].version == "1"
    workshop.folder = workshop.folder / "elsewhere"
    workshop.folder.mkdir()
    workshop.plugin("twice", version="2")
    state, reason = loaded("twice")["twice"]
    assert state == "failed-load"
    assert "the name twice is taken by the Python package" in reason
