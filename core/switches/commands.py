"""``guildhall switch …``: what an admin can stop at once, from the command line."""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table

from core.actor import Actor
from core.clock import now
from core.errors import DomainError
from core.switches import service

if TYPE_CHECKING:
    from core.platform import Platform

console = Console(width=None if sys.stdout.isatty() else 150)
ACTOR = Actor.system("command line")


@click.group("switch")
def switch() -> None:
    """Kill switches: stop a part of the platform at once, and let it go on."""


@switch.command("list")
@click.pass_obj
def show(platform: Platform) -> None:
    """Every switch, whether it is on, and why not."""
    with platform.unit_of_work() as session:
        off = service.pulled(session)
    table = Table("switch", "state", "until", "reason", "stops")
    for name, one in platform.registry.switches.items():
        found = off.get(name)
        until = found.until.isoformat(" ", "minutes") if found and found.until else ""
        table.add_row(name, "off" if found else "on", until, found.reason if found else "", one.help)
    console.print(table)


@switch.command("off")
@click.argument("name")
@click.option("--reason", required=True, help="Why; kept in the audit trail and shown to admins.")
@click.option("--minutes", type=click.IntRange(1, 525_600), help="On again by itself after so many minutes.")
@click.pass_obj
def off(platform: Platform, name: str, reason: str, minutes: int | None) -> None:
    """Switch NAME off, in every process within a second."""
    until = now() + timedelta(minutes=minutes) if minutes else None
    try:
        with platform.unit_of_work(ACTOR) as session:
            service.pull(session, ACTOR, name, reason=reason, until=until)
    except DomainError as problem:
        raise click.ClickException(problem.message) from None
    console.print(f"{name} is off.")


@switch.command("on")
@click.argument("name")
@click.pass_obj
def on(platform: Platform, name: str) -> None:
    """Switch NAME on again; what waited is done now."""
    try:
        with platform.unit_of_work(ACTOR) as session:
            was = service.restore(session, ACTOR, name)
    except DomainError as problem:
        raise click.ClickException(problem.message) from None
    console.print(f"{name} is on again." if was else f"{name} was on.")
