"""The command line of contributions."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from uuid import UUID

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from guildhall import Actor, DomainError

from . import importing, service
from .history import BadLine, Line, Masked, count_git, csv_lines, git_lines
from .verify import verify as check

console = Console()


@click.group("contributions")
def group() -> None:
    """Import, check and recalculate contributions."""


@group.command("import-csv")
@click.argument("path", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.pass_obj
def import_csv(platform: Any, path: Path) -> None:
    """Import a CSV file with the columns key, member, occurred_at (with offset) and type.

    Lines that cannot be read are told and left; exit 1 when there are some.
    """
    masked = Masked(platform.config.secret_key)
    with path.open("rb") as file:
        total = max(0, sum(1 for line in file if line.strip()) - 1)
    _import(platform, lambda: csv_lines(path, masked), total, kind="import", title=path.name)


@group.command("import-git")
@click.argument("path", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--repo-name", help="Name kept with each contribution; the folder's name by default.")
@click.pass_obj
def import_git(platform: Any, path: Path, repo_name: str | None) -> None:
    """Import a git history: commits, merges and tags. Authors are masked, addresses are not kept."""
    masked = Masked(platform.config.secret_key)
    name = repo_name or path.resolve().name
    try:
        total = count_git(path)
    except DomainError as problem:
        raise click.ClickException(problem.message) from None
    _import(platform, lambda: git_lines(path, name, masked), total, kind="git", title=name)


@group.command("verify")
@click.pass_obj
def verify(platform: Any) -> None:
    """Compare every total with the contributions it sums. Exits with 1 when something does not add up."""
    with platform.unit_of_work(Actor.system("contributions verify")) as session:
        findings = check(session)
    table = Table("Check", "Findings", "First broken row")
    for name, found in findings.items():
        table.add_row(name, str(len(found)) if found else "[green]none[/]", found[0].where if found else "")
    console.print(table)
    for finding in (one for found in findings.values() for one in found[:20]):
        told = f"{finding.check} {finding.where}: stored {finding.stored}, expected {finding.expected}"
        console.print(told, markup=False, highlight=False, soft_wrap=True)
    if any(findings.values()):
        console.print("[red]Totals and contributions differ.[/] `guildhall contributions recalculate` rebuilds totals.")
        sys.exit(1)
    console.print("[green]Every total equals the sum of what counts.[/]")


@group.command("recalculate")
@click.option("--member", type=click.UUID, help="The id of the only member to recalculate.")
@click.pass_obj
def recalculate(platform: Any, member: UUID | None) -> None:
    """Work out every member's totals and streaks anew, or one's. Recording waits meanwhile."""
    actor = Actor.system("contributions recalculate")
    try:
        with platform.unit_of_work(actor) as session:
            members = service.recalculate(session, actor, member_id=member)
    except DomainError as problem:
        raise click.ClickException(problem.message) from None
    console.print(f"Recalculated {members} members.")


def _import(platform: Any, lines: Callable[[], Iterable[Line | BadLine]], total: int, *, kind: str, title: str) -> None:
    actor = Actor.system(f"import {title}"[:120], bulk=True)
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}/s"),
        TimeRemainingColumn(),
        console=console,
    )
    started = time.perf_counter()
    with bar:
        task = bar.add_task(title, total=total, rate=0)

        def show(done: int) -> None:
            bar.update(task, completed=done, rate=round(done / max(time.perf_counter() - started, 1e-6)))

        try:
            report = importing.run(lambda: platform.unit_of_work(actor), actor, lines(), kind=kind, progress=show)
        except DomainError as problem:
            raise click.ClickException(problem.message) from None
    for number, code, sentence in report.problems:
        console.print(f"line {number}: {code} {sentence}", markup=False, highlight=False)
    console.print(
        f"{report.recorded} recorded, {report.duplicate} already there, {report.rejected} rejected by a limit, "
        f"{report.invalid} unreadable, in {time.perf_counter() - started:.1f} s."
    )
    if kind == "import" and report.invalid:
        sys.exit(1)
