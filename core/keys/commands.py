"""``guildhall keys``: the keys of secrets at rest."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click
from sqlalchemy.orm import Session

from config import new_key
from core.actor import Actor

if TYPE_CHECKING:
    from core.platform import Platform


@click.group("keys")
def keys() -> None:
    """Keys of secrets at rest."""


@keys.command("new")
def new() -> None:
    """Print a fresh entry for GUILDHALL_ENCRYPTION_KEYS; it is kept nowhere."""
    click.echo(new_key())


@keys.command("list")
@click.pass_obj
def list_keys(platform: Platform) -> None:
    """Every key by its name, whether it is here, and how many data keys it holds. Exit 1 when one is missing."""
    from core.keys.rotate import overview

    with platform.unit_of_work() as session:
        rows = overview(session)
    for row in rows:
        state = "current" if row.current else "here" if row.here else "missing"
        click.echo(f"{row.id}\t{state}\t{row.data_keys} data keys")
    raise SystemExit(any(not row.here for row in rows))


@keys.command("rotate")
@click.option("--here", is_flag=True, help="Seal the values anew in this command, not in a worker.")
@click.pass_obj
def rotate(platform: Platform, here: bool) -> None:
    """Wrap every data key under the first key of GUILDHALL_ENCRYPTION_KEYS, and seal all values anew.

    Everything stays readable meanwhile. When the job is done, the other keys may be taken out of the setting.
    """
    from core.jobs.queue import enqueue
    from core.keys.rotate import reseal
    from core.keys.rotate import rotate as rotate_keys

    actor = Actor.system("command line")
    with platform.unit_of_work(actor) as session:
        count = rotate_keys(session, actor)
        job = None if here else enqueue(session, actor, "core.reseal")
    click.echo(f"{count} data keys are wrapped by {platform.keyring.keys.current.id}.")
    if job:
        click.echo(f"A worker now seals the values anew: job {job.id}.")
        return
    result = reseal(_Here(platform, actor))
    click.echo(f"{result['sealed']} values were sealed anew.")
    for column, broken in result["broken"].items():
        click.echo(f"{column}: {broken} values cannot be opened.")
    raise SystemExit(bool(result["broken"]))


class _Here:
    """The context of a job that runs in this command and nowhere else."""

    def __init__(self, platform: Platform, actor: Actor) -> None:
        self._platform, self.actor = platform, actor

    @contextmanager
    def unit_of_work(self) -> Iterator[Session]:
        with self._platform.unit_of_work(self.actor) as session:
            yield session

    def progress(self, done: int, total: int | None = None) -> None: ...
