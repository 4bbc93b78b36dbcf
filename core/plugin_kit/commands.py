"""``guildhall plugin``: see, switch and purge the plugins of an installation; make, check, trace and package one."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.tree import Tree

from config import Config
from core import logs
from core.actor import Actor
from core.heap import loading
from core.plugin_kit.yaml_commands import plugin_eject, plugin_schema
from core.runtime import engines

if TYPE_CHECKING:
    from core.platform import Platform
    from core.plugin_kit.trace import Step

console = Console()
# These need no database of the installation.
OFFLINE = {"new", "check", "package", "schema", "eject"}
FOLDER = click.Path(file_okay=False, path_type=Path)


@click.group("plugin")
@click.pass_context
def plugin_group(context: click.Context) -> None:
    """Plugins."""
    asked_for_help = any(flag in sys.argv for flag in context.help_option_names)
    if context.invoked_subcommand in OFFLINE or not isinstance(context.obj, Config) or asked_for_help:
        return
    if not sys.stderr.isatty():
        logs.configure("WARNING", process="plugin")
    database_url, redis_url = context.with_resource(engines(context.obj))
    with loading():
        from core.platform import Platform

        context.obj = Platform(context.obj, database_url, redis_url)
    context.obj.upgrade()


@plugin_group.command("list")
@click.option("--json", "as_json", is_flag=True, help="As JSON, for a program.")
@click.pass_obj
def plugin_list(platform: Platform, as_json: bool) -> None:
    """Every plugin that was found, its state and why."""
    from core.loader import missing_folders, state_of

    with platform.unit_of_work() as session:
        rows = [
            (one.name, one.plugin.version if one.plugin else "", *map(str, state_of(session, one)))
            for one in platform.found
        ]
    if as_json:
        names = ("name", "version", "state", "reason")
        return click.echo(json.dumps([dict(zip(names, row, strict=True)) for row in rows], indent=1))
    table = Table("plugin", "version", "state", "reason")
    for row in rows:
        table.add_row(*row)
    console.print(table)
    for part in missing_folders(platform.config):
        click.echo(f"GUILDHALL_PLUGIN_PATH names {part}, which is no folder.", err=True)


@plugin_group.command("doctor")
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="As JSON, for a program.")
@click.pass_obj
def plugin_doctor(platform: Platform, name: str | None, as_json: bool) -> None:
    """Say what is wrong with the plugin NAME, or with any; exit 1 when something is.

    State and reason, missing requirements, revisions and what they would do to the release before, deliveries, health
    checks, settings, permissions, docs page. Changes nothing but what every command does: it migrates first.
    """
    from core import doctor

    with platform.unit_of_work() as session:
        found = doctor.examine(session, platform, name or "")
        parked = {} if name else doctor.parked(session, platform)
    if as_json:
        click.echo(json.dumps({"plugins": [one.as_json() for one in found], "parked": parked}, indent=1))
    else:
        for one in found:
            _print_diagnosis(one)
        for owner, revisions in parked.items():
            click.echo(f"{owner}: not installed; its tables wait, at {', '.join(revisions)}")
    raise SystemExit(any(one.wrong for one in found))


def _print_diagnosis(one: Any) -> None:
    colour = "red" if one.wrong else "yellow" if one.findings else "green"
    console.print(f"[{colour}]{one.name}[/] {one.version} {one.state.value}", highlight=False)
    for finding in one.findings:
        click.echo(f"  {'WRONG' if finding.wrong else 'note '} {finding.code}: {finding}")
    for line in one.advice:
        click.echo(f"  advice {line}")
    if one.traceback:
        click.echo("  " + one.traceback.rstrip().replace("\n", "\n  "))


def _toggle(enabled: bool) -> click.Command:
    verb = "enable" if enabled else "disable"

    @click.command(verb, help=f"{verb.capitalize()} a plugin in every process, without a restart.")
    @click.argument("name")
    @click.pass_obj
    def toggle(platform: Platform, name: str) -> None:
        from core import lifecycle

        actor = Actor.system("command line")
        with platform.unit_of_work(actor) as session:
            lifecycle.set_enabled(session, actor, name, enabled)
        console.print(f"{name} is {verb}d.")

    return toggle


plugin_group.add_command(_toggle(True))
plugin_group.add_command(_toggle(False))
plugin_group.add_command(plugin_schema)
plugin_group.add_command(plugin_eject)


@plugin_group.command("purge")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def plugin_purge(platform: Platform, name: str, yes: bool) -> None:
    """Delete a disabled plugin's tables and all that is kept of it. Nothing brings them back but a backup."""
    from core.purge import purge, require_purgeable

    actor = Actor.system("command line")
    require_purgeable(platform, actor, name)
    if not yes:
        click.confirm(f"Delete every table of {name} with all that is in them?", abort=True)
    purge(platform, actor, name)
    console.print(f"{name} is purged. Take it out before the next start, or its tables are made anew, empty.")


@plugin_group.command("new")
@click.argument("name")
@click.option("--size", type=click.Choice(("yaml", "mini", "full")), required=True, help="How much to begin with.")
@click.option("--into", type=FOLDER, default=Path(), help="The folder it is made in; by default this one.")
@click.pass_obj
def plugin_new(config: Config, name: str, size: str, into: Path) -> None:
    """Make the plugin NAME, which passes `guildhall plugin check` as it is written.

    yaml: a plugin.yaml, and functions beside it. mini: one plugin.py. full: a folder of everything, with tests, a
    pyproject.toml and a check for CI.
    """
    from core.loader import discover
    from core.plugin_kit.scaffold import new

    folder = new(name, size, into, [one.name for one in discover(config)])
    console.print(f"{folder} is made. What next:", highlight=False, soft_wrap=True)
    console.print(f"  guildhall plugin check {folder}", highlight=False, soft_wrap=True)
    console.print(f"  GUILDHALL_PLUGIN_PATH={into} guildhall run", highlight=False, soft_wrap=True)


@plugin_group.command("check")
@click.argument("targets", metavar="[NAME|FOLDER]...", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="As JSON, for a program.")
@click.option("--seconds", type=click.FloatRange(1), default=300.0, show_default=True, help="The longest it may take.")
@click.pass_obj
def plugin_check(config: Config, targets: tuple[str, ...], as_json: bool, seconds: float) -> None:
    """Try plugins on a database of their own, and say all that is wrong; exit 1 when something is.

    Each is named, or is a folder with a plugin.py or plugin.yaml; without any, all that are found are tried. Nothing
    of the installation is touched.
    """
    from core.plugin_kit.check import check

    checked = check(config, targets, seconds)
    if as_json:
        click.echo(json.dumps({"plugins": [one.as_json() for one in checked]}, indent=1))
    else:
        for one in checked:
            colour = "red" if one.wrong else "yellow" if one.findings else "green"
            console.print(f"[{colour}]{one.name}[/] {'is not ready' if one.wrong else 'is sound'}", highlight=False)
            for finding in one.findings:
                click.echo(f"  {finding}")
    raise SystemExit(any(one.wrong for one in checked))


@plugin_group.command("trace")
@click.argument("key", metavar="EVENT_ID|CORRELATION", type=click.UUID)
@click.option("--json", "as_json", is_flag=True, help="As JSON, for a program.")
@click.pass_obj
def plugin_trace(platform: Platform, key: UUID, as_json: bool) -> None:
    """Show what came of an event: the whole tree of causes and effects, and how each delivery fared."""
    from core.plugin_kit.trace import trace

    with platform.unit_of_work() as session:
        steps, cut = trace(session, key)
        if as_json:
            return click.echo(json.dumps({"events": [one.as_json() for one in steps], "cut": cut}, indent=1))
        for step in steps:
            console.print(_tree(step, key, None), highlight=False, soft_wrap=True)
    if cut:
        click.echo("There are more; these are the oldest.")


def _tree(step: Step, key: UUID, above: Tree | None) -> Tree:
    event = step.event
    marked = f"[bold]{escape(event.name)}[/]" + (" ←" if event.id == key else "")
    shown = f"{marked} [dim]{event.occurred_at:%Y-%m-%d %H:%M:%S} by {event.actor_kind} {event.id}[/]"
    branch = above.add(shown) if above else Tree(shown)
    for one in step.deliveries:
        colour = {"done": "green", "dead": "red"}.get(one.state, "yellow")
        error = (one.last_error or "").partition("\n")[0]
        told = f": {escape(error)}" if error and one.state != "done" else ""
        branch.add(f"→ {escape(one.subscriber)} [{colour}]{one.state}[/] after {one.attempts or 'no'} tries{told}")
    for effect in step.effects:
        _tree(effect, key, branch)
    return branch


@plugin_group.command("package")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--into", type=FOLDER, default=Path("dist"), show_default=True, help="The folder it is written to.")
@click.pass_obj
def plugin_package(config: Config, folder: Path, into: Path) -> None:
    """Build a wheel of the plugin in FOLDER: `pip install` brings it into an installation."""
    from core.plugin_kit.package import package

    console.print(str(package(config, folder, into)), highlight=False, soft_wrap=True)


__all__ = ["plugin_group"]
