"""``guildhall audit …``: the trail from the command line."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console

if TYPE_CHECKING:
    from core.platform import Platform

console = Console(width=None if sys.stdout.isatty() else 150)


@click.group("audit")
def audit() -> None:
    """The audit trail."""


@audit.command("verify")
@click.option("--checkpoint", type=click.Path(exists=True, dir_okay=False, path_type=Path), multiple=True)
@click.pass_obj
def verify_trail(platform: Platform, checkpoint: tuple[Path, ...]) -> None:
    """Recompute every digest and link; exit 1 when something was changed or removed.

    With --checkpoint FILE, also find that the newest links were removed since the file was written.
    """
    from core.audit.checkpoint import check
    from core.audit.seal import verify

    _seal_all(platform)
    with platform.unit_of_work() as session:
        verdict = verify(session)
        noted = [path.read_text("utf-8", "replace") for path in checkpoint]
        problems = [
            *verdict.problems,
            *(one for text in noted for one in check(session, platform.config.secret_key, text)),
        ]
    console.print(f"{verdict.sealed} rows sealed, {verdict.unsealed} not yet.")
    for problem in problems:
        console.print(f"[red]{problem}[/]")
    console.print("[red]The trail is broken.[/]" if problems else "[green]The trail holds.[/]")
    raise SystemExit(bool(problems))


@audit.command("checkpoint")
@click.argument("file", type=click.Path(dir_okay=False, writable=True, path_type=Path))
@click.pass_obj
def checkpoint(platform: Platform, file: Path) -> None:
    """Write a signed note of how far the chain is to FILE; keep it on another machine."""
    from core.audit.checkpoint import make

    _seal_all(platform)
    with platform.unit_of_work() as session:
        note = make(session, platform.config.secret_key)
    file.write_text(note)
    console.print(f"The checkpoint is in {file}.", highlight=False)


def _seal_all(platform: Platform) -> None:
    from core.audit.seal import seal

    with platform.unit_of_work() as session:
        while seal(session):
            pass
