"""The ``guildhall`` command line: the core's commands, and one group a plugin."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.table import Table
from sqlalchemy.exc import OperationalError

from config import Config, ConfigError
from core import logs, translations
from core.actor import Actor
from core.db.branch import DatabaseUnfit
from core.errors import DomainError
from core.heap import loading
from core.plugin_kit.commands import plugin_group
from core.runtime import Process, RuntimeProblem, engines
from core.runtime.problem import from_os_error

if TYPE_CHECKING:
    from core.platform import Platform

console = Console()
# These are started with the engines' addresses, or start them.
OWN = {"run", "web", "worker", "scheduler", "translations", "db", "plugin"}


class Guildhall(click.Group):
    """Adds the commands of every plugin that loads; the plugins are looked at only when needed."""

    def list_commands(self, context: click.Context) -> list[str]:
        return sorted({*self.commands, *_plugin_commands()})

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        return self.commands.get(name) or _plugin_commands().get(name)

    def resolve_command(
        self, context: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(context, args)
        except click.UsageError as problem:
            if self.get_command(context, args[0]) is not None:
                raise
            told = f"{problem.message} A plugin that is not loaded brings none: see guildhall plugin list."
            raise click.UsageError(told, context) from None

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except DomainError as problem:
            raise click.ClickException(_told(problem)) from None
        except (ConfigError, RuntimeProblem, DatabaseUnfit) as problem:
            raise click.ClickException(str(problem)) from None
        except OperationalError as problem:
            first = str(problem.orig).splitlines()[0]
            raise click.ClickException(f"The database cannot be used: {first}") from None
        except OSError as problem:
            if not isinstance(problem.filename, str | bytes | os.PathLike):
                raise  # no file or folder that a person named: a defect, whose traceback is wanted
            raise click.ClickException(str(from_os_error(problem, Path(os.fsdecode(problem.filename))))) from None


def _told(problem: DomainError) -> str:
    """The sentence of a refusal, with what its details say of each value."""
    lines = [str(problem)]
    if isinstance(problem.details, Mapping):
        for name, told in problem.details.items():
            lines.append(f"  {name}: {' '.join(map(str, told)) if isinstance(told, list | tuple) else told}")
    return "\n".join(lines)


def _plugin_commands() -> dict[str, click.Command]:
    from core.loader import load
    from core.manifest import core

    registry, _found = load(Config.load(), core)
    commands = [command for plugin in registry.plugins.values() for command in plugin.commands]
    return {str(command.name): command for command in commands}


@click.group(cls=Guildhall, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(package_name="guildhall", message="Guildhall %(version)s")
@click.pass_context
def main(context: click.Context) -> None:
    """Guildhall runs a community's economy."""
    config = Config.load()
    name = context.invoked_subcommand
    logs.configure(config.log_level, process=name or "")
    if name in OWN or any(flag in sys.argv for flag in context.help_option_names):
        context.obj = config
        return
    if not sys.stderr.isatty():
        logs.configure("WARNING", process=name or "")
    database_url, redis_url = context.with_resource(engines(config))
    context.obj = _platform(config, database_url, redis_url)
    context.obj.upgrade()


@main.command()
@click.pass_obj
def run(config: Config) -> None:
    """Start everything on this machine: engines, web, worker, scheduler."""
    from core.runtime import Supervisor

    supervisor = Supervisor(config, processes(), prepare=lambda *urls: _prepare(config, *urls), console=console)
    raise SystemExit(supervisor.run())


def processes() -> list[Process]:
    """What `guildhall run` runs, and how long each may take to stop."""
    command = [sys.executable, "-m", "app"]
    return [
        Process("web", [*command, "web"], stop_seconds=15, early=True),
        Process("worker", [*command, "worker"], stop_seconds=20, delay_seconds=1),
        Process("scheduler", [*command, "scheduler"], stop_seconds=5, delay_seconds=2),
    ]


def _prepare(config: Config, database_url: str, redis_url: str) -> None:
    """Migrate, make the first admin, load the demo and the history asked for."""
    from core.loader import missing_folders

    platform = _platform(config, database_url, redis_url)
    for name, outcome in platform.upgrade().items():
        if not outcome.ok:
            console.print(f"[yellow]The plugin {name} could not be migrated: {outcome.reason}[/]")
    for one in platform.found:
        if one.plugin is None or one.state != "enabled":
            console.print(f"[yellow]The plugin {one.name} is off: {one.reason}[/]")
    for part in missing_folders(platform.config):
        console.print(f"[yellow]GUILDHALL_PLUGIN_PATH names {part}, which is no folder.[/]")
    _first_admin(platform)
    with platform.unit_of_work(Actor.system("first start")) as session:
        from core import hooks

        starts = hooks.collect(session, "first_start", platform=platform)
    for _plugin, sentence in starts:
        console.print(sentence)
    platform.database.dispose()


def _first_admin(platform: Platform) -> None:
    from core.members.admin import create_first_admin

    with platform.unit_of_work(Actor.system("first start")) as session:
        password = create_first_admin(session, platform.config.admin_email)
    if password:
        console.print("The first admin was created. This password is shown once:")
        console.print(f"  e-mail    [bold]{platform.config.admin_email}[/]")
        console.print(f"  password  [bold]{password}[/]", highlight=False)


@main.command()
@click.pass_obj
def web(config: Config) -> None:
    """Serve the web application (gunicorn; preload, then fork)."""
    from core.runtime.web import serve

    serve(config)


@main.command()
@click.pass_obj
def worker(config: Config) -> None:
    """Deliver events and run jobs."""
    from core.runtime.worker import work

    work(_connected(config))


@main.command()
@click.pass_obj
def scheduler(config: Config) -> None:
    """Look at the tables every second, turn the schedules, seal the audit trail. One leads, others wait."""
    from core.runtime.scheduler import lead

    lead(_connected(config))


def _connected(config: Config) -> Platform:
    if config.database_url is None:
        raise click.ClickException("Set GUILDHALL_DATABASE_URL, or use `guildhall run`, which brings its own engines.")
    from core.observability import metrics, traces

    metrics.serve(config.metrics_port, config.host)
    traces.setup(config.otlp_endpoint, process=click.get_current_context().info_name or "")
    return _platform(config, config.database_url, config.redis_url)


def _platform(config: Config, database_url: str, redis_url: str | None) -> Platform:
    with loading():
        from core.platform import Platform

        return Platform(config, database_url, redis_url)


@main.group()
@click.pass_context
def db(context: click.Context) -> None:
    """Migrations. Nothing is migrated but by what says so."""
    if any(flag in sys.argv for flag in context.help_option_names):
        return
    if not sys.stderr.isatty():
        logs.configure("WARNING", process="db")
    context.obj = _platform(context.obj, *context.with_resource(engines(context.obj)))


@db.command("upgrade")
@click.pass_obj
def upgrade(platform: Platform) -> None:
    """Migrate the core and every plugin, in dependency order."""
    table = Table("plugin", "state", "reason")
    failed = False
    for name, outcome in platform.upgrade().items():
        table.add_row(name, "ok" if outcome.ok else "[red]failed[/]", outcome.reason)
        failed |= not outcome.ok
    console.print(table)
    raise SystemExit(failed)


@db.command("revision")
@click.option("-p", "--plugin", required=True)
@click.argument("message")
@click.pass_obj
def revision(platform: Platform, plugin: str, message: str) -> None:
    """Write a plugin's next migration by comparing its models with the database."""
    import core.rest.models  # noqa: F401  (every table of the core)
    from core.db import migrate

    platform.upgrade()
    try:
        console.print(migrate.revision(platform.database.url, platform.branches, plugin, message), soft_wrap=True)
    except LookupError as problem:
        raise click.ClickException(str(problem.args[0])) from None


@db.command("check")
@click.argument("revisions", nargs=-1)
@click.pass_obj
def check(platform: Platform, revisions: tuple[str, ...]) -> None:
    """Say what the revisions to come would do to processes of the release before; exit 1 when there is something.

    Reads those that the database does not have yet, or the REVISIONS named, without running them.
    """
    from core.db import advice

    try:
        found = advice.check(platform.database.engine, platform.branches, revisions)
    except LookupError as problem:
        raise click.ClickException(str(problem.args[0])) from None
    for one in found:
        click.echo(str(one))
    if not found:
        console.print("[green]Old and new processes can work side by side.[/]")
    raise SystemExit(bool(found))


main.add_command(plugin_group)
main.add_command(translations.group)


@main.group("admin")
def admin_group() -> None:
    """Admins."""


@admin_group.command("create")
@click.argument("email")
@click.option("--name", default="Admin", help="The name that is shown.")
@click.pass_obj
def create_admin(platform: Platform, email: str, name: str) -> None:
    """Create an account with the role Admin; its random password is shown once."""
    from core.members.service import register

    actor = Actor.system("command line")
    password = secrets.token_urlsafe(12)
    with platform.unit_of_work(actor) as session:
        register(session, actor, email=email, password=password, display_name=name, roles=("Admin", "User"))
    console.print(f"Password of {email}: [bold]{password}[/]", highlight=False)


@admin_group.command("reset-password")
@click.argument("email", required=False)
@click.pass_obj
def reset_password(platform: Platform, email: str | None) -> None:
    """Give an account a new random password, shown once, and end its sessions."""
    from core.members.admin import reset_password as reset

    actor = Actor.system("command line")
    password = secrets.token_urlsafe(12)
    with platform.unit_of_work(actor) as session:
        reset(session, actor, email or platform.config.admin_email, password)
    console.print(f"New password of {email or platform.config.admin_email}: [bold]{password}[/]", highlight=False)


@main.command("openapi")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path))
@click.pass_obj
def openapi(platform: Platform, output: Path | None) -> None:
    """Write the OpenAPI document of every enabled plugin."""
    import json

    from core.runtime.web import application

    client = application(platform).test_client()
    text = json.dumps(client.get("/api/v1/openapi.json").get_json(), indent=2)
    if output:
        output.write_text(text + os.linesep)
    else:
        click.echo(text)


@main.command("contract")
@click.option("--json", "as_json", is_flag=True, help="The snapshot that is compared, instead of the page.")
@click.pass_obj
def contract(platform: Platform, as_json: bool) -> None:
    """Print the contract with integrators."""
    import json

    from core import contract as page

    registry = platform.registry
    click.echo(json.dumps(page.describe(registry), indent=1) if as_json else page.markdown(registry).rstrip())


__all__ = ["main"]
