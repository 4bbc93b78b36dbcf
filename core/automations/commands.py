"""``guildhall automation …``: list, export, import, and what they did."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.actor import Actor
from core.automations import service, transfer
from core.automations.models import Automation
from core.errors import DomainError

if TYPE_CHECKING:
    from core.platform import Platform

console = Console(width=None if sys.stdout.isatty() else 150)
ACTOR = Actor.system("command line")


@click.group("automation")
def automation() -> None:
    """Automations: see them, carry them to another installation, and look at what they did."""


@automation.command("list")
@click.pass_obj
def show(platform: Platform) -> None:
    """Every automation, how it stands and what it did in the last seven days."""
    table = Table("automation", "state", "version", "waits for", "runs", "pending")
    with platform.unit_of_work(ACTOR) as session:
        for one in service.listing(session, ACTOR):
            stands = service.standing(session, one)
            state = "stopped" if stands.stopped and one.state == "on" else one.state
            runs = ", ".join(f"{count} {what}" for what, count in sorted(stands.runs.items()))
            version = f"{one.version or '-'} of {one.latest}"
            table.add_row(one.name, state, version, ", ".join(sorted(stands.waits)), runs, str(stands.pending))
    console.print(table)


@automation.command("export")
@click.argument("names", nargs=-1)
@click.option("--file", "path", type=click.Path(dir_okay=False, path_type=Path), help="Where to; else the terminal.")
@click.pass_obj
def export(platform: Platform, names: tuple[str, ...], path: Path | None) -> None:
    """Write the newest versions of NAMES, or of all, as YAML."""
    try:
        with platform.unit_of_work(ACTOR) as session:
            text = transfer.write(session, ACTOR, [_named(session, name).id for name in names])
    except DomainError as problem:
        raise click.ClickException(problem.message) from None
    if path is None:
        click.echo(text, nl=False)
    else:
        path.write_text(text, encoding="utf-8")
        console.print(f"Written to {path}.")


@automation.command("import")
@click.argument("path", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.pass_obj
def take_in(platform: Platform, path: Path) -> None:
    """Make drafts of the automations in the YAML file PATH, all or none."""
    try:
        with platform.unit_of_work(ACTOR) as session:
            made = transfer.read(session, ACTOR, path.read_text(encoding="utf-8"))
            told = [f"{one.name}: version {one.latest}, {one.state}" for one in made]
    except UnicodeDecodeError:
        raise click.ClickException("The file is not UTF-8.") from None
    except DomainError as problem:
        details = problem.details if isinstance(problem.details, dict) else {}
        lines = [f"{path}:{place}: {' '.join(sentences)}" for place, sentences in details.items()]
        raise click.ClickException("\n".join([problem.message, *lines])) from None
    for line in told:
        console.print(line)


@automation.command("runs")
@click.argument("name", required=False)
@click.option("--state", type=click.Choice(["done", "partly", "failed", "limited", "loop"]))
@click.option("--last", type=click.IntRange(1, 200), default=20, show_default=True)
@click.pass_obj
def runs(platform: Platform, name: str | None, state: str | None, last: int) -> None:
    """What automations did lately, or the one called NAME."""
    table = Table("at", "automation", "state", "why", "member", "from", "took")
    try:
        with platform.unit_of_work(ACTOR) as session:
            wanted = _named(session, name).id if name else None
            called = {one.id: one.name for one in service.listing(session, ACTOR)}
            for run in service.runs(session, ACTOR, wanted, state=state or "", limit=last):
                cause = run.event_name or ("turn" if run.turn_id else "")
                at, member = run.at.isoformat(" ", "seconds"), str(run.member_id or "")
                name_of = called.get(run.automation_id, "")
                table.add_row(at, name_of, run.state, run.code, member, cause, f"{run.took_ms} ms")
    except DomainError as problem:
        raise click.ClickException(problem.message) from None
    console.print(table)


def _named(session: Session, name: str) -> Automation:
    query = select(Automation).where(func.lower(Automation.name) == name.lower())
    found: Automation | None = session.scalar(query)
    if found is None:
        raise click.ClickException(f"No automation is called {name}.")
    return found
