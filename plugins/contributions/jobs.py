"""Background work: imports of a git history and of files, recalculation, awards, ranks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from guildhall import JobContext

from . import awards, figures, importing, imports, ranks, rescoring, service
from .history import Masked, count_git, git_lines


def import_git(context: JobContext) -> dict[str, Any]:
    """Import the repository ``params["path"]``; starting it again goes on where it was, by the unique keys."""
    path = Path(context.params["path"])
    with context.unit_of_work() as session:
        masked = Masked(session.info["config"].secret_key)
    total = count_git(path)
    context.progress(0, total)
    lines = git_lines(path, context.params.get("name") or path.resolve().name, masked)
    report = importing.run(
        context.unit_of_work, context.actor, lines, kind="git", progress=lambda done: context.progress(done, total)
    )
    return report.as_json()


def import_csv(context: JobContext) -> dict[str, Any]:
    """Try, do or undo the import ``params["import_id"]``; started again it goes on behind its last chunk."""
    return imports.run(context)


def recalculate(context: JobContext) -> dict[str, Any]:
    """Work out every member's totals and streaks anew."""
    with context.unit_of_work() as session:
        return {"members": service.recalculate(session, context.actor)}


def rescore(context: JobContext) -> dict[str, Any]:
    """Try or apply the re-scoring ``params["rescore_id"]``; started again it goes on after its last page."""
    return rescoring.run(context)


def pay_awards(context: JobContext) -> dict[str, Any]:
    """Ask for the awards of every month that is over and was not paid."""
    return awards.pay_due(context)


def fold_ranks(context: JobContext) -> dict[str, Any]:
    """Add up how many members have how many points and what counted on each day, so that both are read fast."""
    with context.unit_of_work() as session:
        ranks.fold(session)
    with context.unit_of_work() as session:
        figures.fold(session)
    return {}
