"""An ejected plugin is Python that passes the linters, and is the same plugin."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy.schema import CreateIndex, CreateTable

from core.db import migrate
from core.db.base import metadata
from core.platform import Platform
from core.plugin_kit.yaml_commands import plugin_eject, plugin_schema
from core.yamlplugin import eject as ejecting
from core.yamlplugin.eject import NotEjected, eject
from tests.conftest import test_config
from tests.core.workshop import Workshop
from tests.core.yamlplugin.conftest import EXAMPLES
from tests.core.yamlplugin.test_yaml_loading import ACTIONS, SHOP

ROOT = EXAMPLES.parents[1]
TYPED = """
from collections.abc import Sequence
from typing import Any

from guildhall import Actor, StoredEvent
from sqlalchemy.orm import Session

from .models import Item


def weighs(session: Session, records: Sequence[Item]) -> list[int]:
    return [int(record.weight * 1000) for record in records]


def close(session: Session, actor: Actor, record: Item, values: dict[str, Any]) -> None:
    record.stock = 0


def grown(session: Session, actor: Actor, event: StoredEvent) -> None: ...


def greet(session: Session, actor: Actor, event: StoredEvent) -> None: ...
"""


def declared(platform: Platform, name: str) -> Any:
    """All that a plugin declares, as plain values."""
    registry = platform.registry
    plugin = registry.plugins[name]
    resources = {key: bound for key, bound in registry.resources.items() if bound.plugin == name}
    made = {
        "plugin": (plugin.version, plugin.label, plugin.description, plugin.icon, plugin.requires, plugin.translations),
        "permissions": {key: one.label for key, one in registry.permissions.items() if key.startswith(f"{name}:")},
        "roles": [(role.name, role.permissions) for role in plugin.roles],
        "events": {key: one.model_json_schema() for key, one in registry.events.items() if key.startswith(f"{name}.")},
        "subscribers": [(one.name, one.event_name, one.kind) for one in plugin.subscribers],
        "settings": plugin.settings.model_json_schema() if plugin.settings else None,
        "uploads": {key: vars(one) for key, one in registry.uploads.items() if key.startswith(f"{name}.")},
        "tables": {
            key: [str(CreateTable(table)), *sorted(str(CreateIndex(index)) for index in table.indexes)]
            for key, table in sorted(metadata.tables.items())
            if key.startswith(f"{name}_")
        },
        "resources": {
            key: {
                one.name: repr(getattr(bound.resource, one.name)).partition(" at 0x")[0]
                for one in fields(bound.resource)
                if one.name not in ("operations", "computed", "model", "inline")
            }
            for key, bound in resources.items()
        },
        "operations": {
            key: [
                (one.name, one.label, one.permission, one.danger, one.form and one.form.model_json_schema())
                for one in bound.operations
            ]
            for key, bound in resources.items()
        },
        "columns": {
            key: {what: (str(one.type), one.info) for what, one in bound.resource.columns_known.items()}
            for key, bound in resources.items()
        },
    }
    return json.loads(json.dumps(made, default=str))


def routes(platform: Platform, name: str) -> Any:
    from app import create_app

    document = create_app(platform).test_client().get("/api/v1/openapi.json").json
    return {path: about for path, about in document["paths"].items() if f"/{name.replace('_', '-')}/" in path}


def lint(folder: Path) -> None:
    """Format, style and types, by the project's own rules."""
    config = str(ROOT / "pyproject.toml")
    modules = sorted(str(path) for path in folder.glob("*.py"))
    for check in (
        ["ruff", "format", "--check", "--diff", "--config", config, *modules],
        ["ruff", "check", "--config", config, *modules],
        ["ruff", "check", "--isolated", *modules],
        ["mypy", "--strict", "--config-file", config, "--cache-dir", str(folder.parent / "mypy"), "-p", folder.name],
    ):
        done = subprocess.run(
            [sys.executable, "-m", *check],
            cwd=folder.parent,
            env={"MYPYPATH": f"{folder.parent}:{ROOT}", "PATH": "/usr/bin:/bin", "RUFF_NO_CACHE": "true"},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_what_is_ejected_passes_the_linters(workshop: Workshop, described: Callable[..., Path]) -> None:
    long = "A sentence that is 'long' and \"quoted\", with a back\\\\slash; " * 6
    text = SHOP.replace("Things for sale.", f"'{long.replace(chr(39), chr(39) * 2)}'").replace(
        "help: Off", f"help: '{'Off ' * 60}"
    )
    folder = described("shop", text.replace("every price.}", "every price.'}"), "")
    (folder / "actions.py").write_text(TYPED.lstrip())
    before = declared(workshop.load(), "shop")
    made = eject(folder)
    assert sorted(path.name for path in made) == ["forms.py", "models.py", "plugin.py", "settings.py"]
    assert (folder / "plugin.yaml.ejected").is_file()
    assert not (folder / "plugin.yaml").exists()
    lint(folder)
    workshop.tidy()
    assert declared(workshop.load(), "shop") == before


@pytest.mark.parametrize("name", ["suggestion_box", "events_calendar"])
def test_the_examples_stay_what_they_are(workshop: Workshop, example: Callable[[str], Path], name: str) -> None:
    folder = example(name)
    platform = workshop.boot()
    before, described = declared(platform, name), routes(platform, name)
    assert described
    workshop.tidy()
    into = workshop.folder.parent / "ejected"
    made = eject(folder, into)
    assert all(path.is_file() for path in made)
    assert (into / name / "migrations").is_dir()
    assert not (into / name / "plugin.yaml").exists()
    workshop.folder = into
    python = workshop.load()
    assert declared(python, name) == before
    assert routes(python, name) == described
    assert migrate.differences(workshop.url, python.branches, name) == []


def test_nothing_is_overwritten(workshop: Workshop, described: Callable[..., Path], tmp_path: Path) -> None:
    folder = described("shop", SHOP, ACTIONS)
    (folder / "models.py").write_text("mine")
    for into in (None, tmp_path / "out"):
        with pytest.raises(NotEjected, match=r"has models\.py already"):
            eject(folder, into)
    (folder / "models.py").unlink()
    (tmp_path / "out" / "shop").mkdir(parents=True)
    with pytest.raises(NotEjected, match="exists already"):
        eject(folder, tmp_path / "out")
    assert sorted(path.name for path in folder.iterdir()) == ["actions.py", "plugin.yaml"]
    assert list((tmp_path / "out" / "shop").iterdir()) == []


def test_half_an_ejection_leaves_nothing(
    described: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = described("shop", SHOP, ACTIONS)

    def full(*_arguments: Any, **_options: Any) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(Path, "rename", full)
    for into in (None, tmp_path / "out"):
        with pytest.raises(NotEjected, match="No space left"):
            eject(folder, into)
    assert sorted(path.name for path in folder.iterdir()) == ["actions.py", "plugin.yaml"]
    assert list((tmp_path / "out").iterdir()) == []
    assert ejecting.LEFT == "plugin.yaml.ejected"


def test_the_commands(workshop: Workshop, described: Callable[..., Path], tmp_path: Path) -> None:
    described("shop", SHOP, ACTIONS)
    described("bad", SHOP.replace("name: shop", "name: bad"), ACTIONS)
    workshop.load()  # what comes first tidies up
    config = test_config(plugin_path=str(workshop.folder))
    run = CliRunner()
    made = run.invoke(plugin_eject, ["shop", "--into", str(tmp_path / "out")], obj=config)
    assert made.exit_code == 0, made.output
    assert (tmp_path / "out" / "shop" / "plugin.py").is_file()
    for name, reason in (("bad", "plugin.yaml:"), ("gone", "there is no plugin"), ("badges", "there is no ")):
        refused = run.invoke(plugin_eject, [name], obj=config)
        assert isinstance(refused.exception, NotEjected)
        assert reason in str(refused.exception)
    schema = json.loads(run.invoke(plugin_schema, []).output)
    assert schema["title"] == "plugin.yaml"


def test_the_schema_takes_the_examples_and_refuses_mistakes() -> None:
    from jsonschema import Draft202012Validator

    from core.yamlplugin.described import json_schema
    from core.yamlplugin.source import parse

    Draft202012Validator.check_schema(json_schema())
    validator = Draft202012Validator(json_schema())
    for folder in ("suggestion_box", "events_calendar"):
        assert validator.is_valid(parse((EXAMPLES / folder / "plugin.yaml").read_bytes()).value)
    assert validator.is_valid(parse(SHOP.replace("2.5,", "2,").replace("0.125}", "0}")).value)
    for mistake in ("type: money", "kind: amount"):
        assert not validator.is_valid(parse(SHOP.replace("type: amount", mistake)).value)


@pytest.fixture(autouse=True)
def no_leftovers(workshop: Workshop) -> Any:
    yield
    shutil.rmtree(workshop.folder, ignore_errors=True)
