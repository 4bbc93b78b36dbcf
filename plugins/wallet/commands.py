"""``guildhall wallet …`` and its alias ``guildhall ledger …``."""

from __future__ import annotations

import sys
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from guildhall import Actor

from . import queries, service
from .history import journal as write_journal
from .queries import shown
from .units import decimal
from .verify import labels
from .verify import verify as prove


@click.group("wallet")
def wallet() -> None:
    """Accounts, transfers and the proof of the ledger."""


@click.group("ledger")
def ledger() -> None:
    """The ledger: the same as ``guildhall wallet``."""


@click.command("verify")
@click.pass_obj
def verify(platform: Any) -> None:
    """Prove every invariant of the ledger; ends with 1 when one is broken."""
    console = Console()
    with platform.unit_of_work(Actor.system("wallet verify")) as session:
        found = {finding.check: finding for finding in prove(session)}
        proved = labels(session)
        held = queries.circulation(session)
    table = Table(title="Ledger", title_justify="left")
    table.add_column("Check")
    table.add_column("Result")
    table.add_column("First broken row", overflow="fold")
    for name, label in proved.items():
        finding = found.get(name)
        if finding:
            table.add_row(label, f"[red]{finding.count} broken", f"{finding.subject} {finding.detail}")
        else:
            table.add_row(label, "[green]holds", "")
    console.print(table)
    for row in held:
        issued, house, members = (decimal(units, row.scale) for units in (row.issued, row.house, row.members))
        console.print(f"{row.asset}: {issued} issued, {house} kept by the house, {members} in circulation")
    if found:
        sys.exit(1)


@wallet.command("fund")
@click.option("--amount", type=int, required=True, help="In the asset's smallest unit.")
@click.option("--asset", default="POINTS", show_default=True)
@click.option("--reason", default="Funded by command", show_default=True)
@click.pass_obj
def fund(platform: Any, amount: int, asset: str, reason: str) -> None:
    """Issue units into the reward fund and pay the rewards that wait for it."""
    actor = Actor.system("wallet fund")
    with platform.unit_of_work(actor) as session:
        funding = service.fund_rewards(session, actor, amount=amount, asset=asset, reason=reason)
        left = queries.reward_fund(session, asset)
        issued, held = shown(session, amount, asset), shown(session, left.balance, asset)
    click.echo(
        f"Issued {issued}; {funding.paid} waiting rewards were paid. "
        f"The fund holds {held}, {left.waiting} rewards still wait."
    )


@click.command("checkpoint")
@click.pass_obj
def checkpoint(platform: Any) -> None:
    """Seal where every chain stands now, once a day, and print it: keep the line outside the database."""
    actor = Actor.system("wallet checkpoint")
    with platform.unit_of_work(actor) as session:
        made = service.make_checkpoint(session)
        if made is None:
            click.echo("Today has its checkpoint already.")
            return
        click.echo(f"{made.day} {made.root.hex()} {made.accounts} accounts {made.entries} entries")


@click.command("journal")
@click.pass_obj
def journal(platform: Any) -> None:
    """Print the whole ledger in the syntax of beancount, with what every account must hold at its end."""
    with platform.unit_of_work(Actor.system("wallet journal")) as session:
        for line in write_journal(session):
            click.echo(line, nl=False)


wallet.add_command(verify)
for command in (checkpoint, journal):
    wallet.add_command(command)
    ledger.add_command(command)
ledger.add_command(verify)
