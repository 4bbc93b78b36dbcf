"""``guildhall badges …``."""

from __future__ import annotations

from typing import Any

import click
from rich.console import Console
from rich.progress import Progress

from guildhall import Actor

from .plan import carry_out, plan
from .verify import verify as find_faults

SHOWN = 100


@click.group()
def badges() -> None:
    """Badges: award what was earned, and prove that it is right."""


@badges.command()
@click.option("--badge", help="Slug of one badge; all of them without it.")
@click.pass_obj
def recalculate(platform: Any, badge: str | None) -> None:
    """Award, set by set, whatever the criteria hold for. Safe to stop and to run again; takes two cores."""
    actor = Actor.system("badges recalculate")
    console = Console()
    with platform.unit_of_work(actor) as session:
        made = plan(session, badge)
    with Progress(console=console) as progress:
        task = progress.add_task("Members", total=None)
        awarded = carry_out(
            made,
            actor,
            lambda: platform.unit_of_work(actor),
            lambda done, total: progress.update(task, completed=done, total=total),
        )
    console.print(f"{awarded:,} new awards")


@badges.command()
@click.pass_obj
def verify(platform: Any) -> None:
    """Prove the awards: criteria in Python and in SQL agree, nobody is missed or doubled. Ends 1 on a finding."""
    console = Console()
    found = 0
    with Progress(console=console) as progress, platform.unit_of_work(Actor.system("badges verify")) as session:
        task = progress.add_task("Members", total=None)
        for finding in find_faults(session, lambda done, total: progress.update(task, completed=done, total=total)):
            found += 1
            if found <= SHOWN:
                progress.console.print(f"{finding.kind}: {finding.badge}: {finding.detail}")
    if found:
        console.print(f"{found:,} findings. `guildhall badges recalculate` awards what was missed.")
        raise SystemExit(1)
    console.print("Awards and criteria agree.")
