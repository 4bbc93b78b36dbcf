"""``guildhall events …``: the event bus from the command line."""

from __future__ import annotations

import sys
from datetime import datetime
from typing import TYPE_CHECKING

import click
from pydantic import ValidationError
from rich.console import Console
from rich.table import Column, Table

from core.actor import Actor
from core.events.subscribers import set_paused

if TYPE_CHECKING:
    from core.platform import Platform

console = Console(width=None if sys.stdout.isatty() else 150)
ACTOR = Actor.system("command line")


@click.group("events")
def events() -> None:
    """The event bus."""


@events.command("lag")
@click.pass_obj
def lag(platform: Platform) -> None:
    """Deliveries of each subscriber, how many failed in the last hour, and how old the oldest due one is."""
    from core.events import replay

    with platform.unit_of_work() as session:
        rows = replay.lag(session)
    names = ("pending", "dead", "hour", "failed")
    figures = [Column(name, no_wrap=True) for name in (*names, "a minute", "lag (s)")]
    table = Table(Column("subscriber", overflow="fold"), *figures)
    for row in rows:
        counts = [str(row[name]) for name in names]
        name = f"{row['subscriber']} (paused)" if row["paused"] else row["subscriber"]
        table.add_row(name, *counts, f"{row['hour'] / 60:.1f}", f"{float(row['lag']):.1f}")
    console.print(table)


@events.command("replay")
@click.option("--subscriber", default="", help="Only of this subscriber.")
@click.option("--event", default="", help="Only of events of this name.")
@click.option(
    "--since", type=click.DateTime(["%Y-%m-%dT%H:%M:%S%z"]), help="Events from then on: 2026-01-31T12:00:00Z."
)
@click.option("--until", type=click.DateTime(["%Y-%m-%dT%H:%M:%S%z"]), help="Events before then.")
@click.option("--state", type=click.Choice(["dead", "done"]), default="dead", help="Dead letters, or what was done.")
@click.pass_obj
def replay(
    platform: Platform, subscriber: str, event: str, since: datetime | None, until: datetime | None, state: str
) -> None:
    """Deliver again: every dead letter, or what fits the filter. A job does it; see the jobs page."""
    from core.events.replay import ReplayFilter, replay_matching

    try:
        wanted = ReplayFilter.model_validate(
            {"subscriber": subscriber, "event": event, "since": since, "until": until, "state": state}
        )
    except ValidationError as problem:
        raise click.ClickException("; ".join(error["msg"] for error in problem.errors())) from None
    with platform.unit_of_work(ACTOR) as session:
        job = replay_matching(session, ACTOR, wanted)
    console.print(f"The job {job.id} replays them.")


def _pause(paused: bool) -> click.Command:
    verb, done = ("pause", "waits") if paused else ("resume", "goes on")
    help_text = "Let the deliveries of a subscriber wait." if paused else "Let a paused subscriber go on."

    @click.command(verb, help=help_text)
    @click.argument("subscriber")
    @click.option("--reason", help="Kept in the audit trail.")
    @click.pass_obj
    def command(platform: Platform, subscriber: str, reason: str | None) -> None:
        with platform.unit_of_work(ACTOR) as session:
            set_paused(session, ACTOR, subscriber, paused, reason)
        console.print(f"{subscriber} {done}.")

    return command


events.add_command(_pause(True))
events.add_command(_pause(False))


@events.command("drain")
@click.pass_obj
def drain(platform: Platform) -> None:
    """Deliver what is due here and now, without a worker."""
    from core.events.deliver import Deliverer

    console.print(f"{Deliverer(platform.database).drain(seconds=3600)} deliveries made.")
