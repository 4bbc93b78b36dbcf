"""``guildhall import``: records from the command line."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import click
from rich.console import Console

from core.actor import Actor
from core.ids import new_id

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from core.imports.models import Import
    from core.platform import Platform

console = Console(width=None if sys.stdout.isatty() else 150)
SHOWN = 20


@click.command("import")
@click.argument("resource")
@click.argument("path", metavar="FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--map", "columns", multiple=True, metavar="FIELD=COLUMN", help="What a column is, if not guessed.")
@click.option("--set", "constants", multiple=True, metavar="FIELD=VALUE", help="What a field is in every row.")
@click.option("--key", "keys", multiple=True, metavar="FIELD", help="By what the record that is there is found.")
@click.option("--existing", type=click.Choice(["update", "leave", "refuse"]), default="update", show_default=True)
@click.option("--blank", type=click.Choice(["keep", "clear"]), default="keep", show_default=True)
@click.option("--by", metavar="EMAIL", help="The member who brings it in; by default the platform itself.")
@click.option("--dry-run", is_flag=True, help="Only say what would happen.")
@click.pass_obj
def import_command(
    platform: Platform,
    resource: str,
    path: Path,
    columns: tuple[str, ...],
    constants: tuple[str, ...],
    keys: tuple[str, ...],
    existing: str,
    blank: str,
    by: str | None,
    dry_run: bool,
) -> None:
    """Import the records of RESOURCE, such as suggestions.suggestion, from a CSV or XLSX FILE.

    It is tried first. Rows that cannot be taken are told and left; exit 1 when there are some.
    """
    from core.imports import service
    from core.imports.plan import Plan

    with platform.unit_of_work() as session, path.open("rb") as file:
        actor = _actor(session, by)
        session.info["actor"] = actor
        row = service.upload(session, actor, service.resource_of(session, resource), file, path.name)
        kept = Plan.of(row.plan)
        plan = Plan(
            {**kept.columns, **dict(_pair(one) for one in columns)},
            dict(_pair(one) for one in constants),
            keys or kept.keys,
            existing,
            blank,
        )
        service.try_out(session, actor, row.id, plan)
    row = _finished(platform, row.id)
    console.print(_figures("Would be", row.figures.get("tried", {})), highlight=False)
    _problems(platform, row)
    if by is None and row.figures["tried"]["failed"]:
        _ask_whose(platform, resource, {*plan.columns, *plan.constants})
    if dry_run or not _wanted(row):
        raise SystemExit(bool(row.figures["tried"]["failed"]))
    with platform.unit_of_work() as session:
        service.start(session, _actor(session, by), row.id)
    row = _finished(platform, row.id)
    console.print(_figures("Is", row.figures["done"]), highlight=False)
    console.print(f"Undo it at /admin/imports/{row.id}.", highlight=False)
    raise SystemExit(bool(row.figures["done"]["failed"]))


def _actor(session: Session, email: str | None) -> Actor:
    """Who imports. Raises click's refusal for an address that nobody has."""
    from sqlalchemy import select

    from core.members.acting import later
    from core.members.email import is_same
    from core.members.models import Member

    if email is None:
        return Actor.system("command line", bulk=True)
    member_id = session.scalar(select(Member.id).where(is_same(Member.email, email)))
    if member_id is None:
        raise click.ClickException("No member has this e-mail address.")
    return later(session, member_id, impersonator=None, correlation_id=new_id())


def _pair(given: str) -> tuple[str, str]:
    name, equals, value = given.partition("=")
    if not equals:
        raise click.ClickException(f"Write FIELD=…, not {given}.")
    return name, value


def _finished(platform: Platform, import_id: UUID) -> Import:
    """The import when its step has ended; where no worker takes the job, this process does."""
    from core.imports import service
    from core.imports.models import Import
    from core.jobs import queue, run

    while True:
        with platform.unit_of_work() as session:
            row = session.get_one(Import, import_id)
            job = queue.find(session, row.job_id)
            if row.state not in service.GOING:
                return row
            if service.stopped(session, row):
                raise click.ClickException(f"It has stopped: {job.error if job else 'its job is gone'}")
        if not run.run_next(platform.database):
            time.sleep(0.2)


def _figures(verb: str, figures: dict[str, int]) -> str:
    told = ", ".join(f"{figures.get(name, 0):,} {name}" for name in ("created", "updated", "left", "failed"))
    return f"{verb}: {told} of {figures.get('rows', 0):,} rows."


def _ask_whose(platform: Platform, resource: str, said: set[str]) -> None:
    """The platform itself owns nothing: what belongs to a member needs one named, by the file or beside it."""
    from core.imports import service

    with platform.unit_of_work() as session:
        owner = service.resource_of(session, resource).resource.owner
    if owner and owner not in said:
        console.print(
            f"Say whose the records are: --by EMAIL, or --map {owner}=COLUMN.", highlight=False, soft_wrap=True
        )


def _wanted(row: Import) -> bool:
    figures = row.figures["tried"]
    return bool(figures["created"] or figures["updated"])


def _problems(platform: Platform, row: Import) -> None:
    from core.imports import failed, service
    from core.imports.models import ImportProblem

    with platform.unit_of_work() as session:
        bound = service.resource_of(session, row.resource)
        query = service.problems(row).order_by(ImportProblem.line, ImportProblem.field).limit(SHOWN)
        for one in session.scalars(query):
            for label, text in failed.sentences(bound, [one], str):
                console.print(f"Row {one.line}: {f'{label}: ' if label else ''}{text}", highlight=False, markup=False)
