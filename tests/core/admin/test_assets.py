"""Vendored assets are the ones their manifest names."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from core.admin import assets


@pytest.mark.parametrize("home", assets.HOMES, ids=lambda home: home.name)
def test_every_file_is_the_one_the_manifest_names(home: Path) -> None:
    assert assets.problems(home) == []


@pytest.mark.parametrize("home", assets.HOMES, ids=lambda home: home.name)
def test_every_package_ships_its_licence(home: Path) -> None:
    manifest = json.loads(assets.manifest_of(home).read_text())
    folders = {name.split("/")[0] for name in manifest}
    assert {folder for folder in folders if f"{folder}/LICENSE" not in manifest} == set()


def test_no_template_or_script_loads_from_elsewhere() -> None:
    templates = assets.STATIC.parent / "templates"
    ours = [*templates.rglob("*.html"), *(assets.STATIC / "js").rglob("*.js"), *(assets.STATIC / "css").rglob("*.css")]
    outside = re.compile(r"""(?:src|href)=["'](?:https?:)?//|@import\s|url\(["']?(?:https?:)?//|from ["']https?:""")
    assert [path.name for path in ours if outside.search(path.read_text())] == []


def test_every_icon_that_is_named_is_in_the_sprite() -> None:
    sprite = next(assets.VENDOR.rglob("icons.svg")).read_text()
    known = set(re.findall(r'<symbol id="([^"]+)"', sprite))
    assert set(assets.ICONS.read_text().split()) == known
