"""``guildhall plugin schema`` and ``eject``: the format of ``plugin.yaml``, and the way out of it."""

from __future__ import annotations

import json
from pathlib import Path

import click

from config import Config
from core.heap import loading


@click.command("schema")
@click.option("--table", "as_table", is_flag=True, help="As a table for people.")
def plugin_schema(as_table: bool) -> None:
    """Print the JSON Schema of plugin.yaml, so that an editor completes and checks it."""
    from core.yamlplugin import described

    click.echo(described.table() if as_table else json.dumps(described.json_schema(), indent=1))


@click.command("eject")
@click.argument("name")
@click.option("--into", type=click.Path(file_okay=False, path_type=Path), help="Write it to a new folder below this.")
@click.pass_obj
def plugin_eject(config: Config, name: str, into: Path | None) -> None:
    """Turn the plugin NAME, a plugin.yaml, into Python: same tables, permissions, events and REST. Overwrites nothing.

    Without --into the modules come beside the plugin.yaml, which is kept as plugin.yaml.ejected.
    """
    with loading():
        from core.loader import load
        from core.manifest import core
    from core.yamlplugin.eject import NotEjected, eject

    _registry, found = load(config, core)
    one = next((one for one in found if one.name == name), None)
    if one is None or not one.folder:
        raise NotEjected(plugin=name, reason="there is no plugin of that name; see guildhall plugin list")
    if one.plugin is None:
        raise NotEjected(plugin=name, reason=one.reason)
    for path in eject(Path(one.folder), into):
        click.echo(path)
