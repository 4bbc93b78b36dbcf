"""What contributions add to others' pages and to the first start, and a contribution's story."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from guildhall import Actor, Panel, _, collect, enqueue_once, hookimpl

from . import queries
from .corrections import corrections_of
from .hookspecs import STAGES, Stage
from .models import Contribution, Level, LevelReachedRow, Milestone, MilestoneReachedRow, Review, Reward

CHECKOUT = Path(__file__).resolve().parents[2]


def story(session: Session, contribution_id: UUID) -> list[Stage]:
    """Every stage that any enabled plugin knows of, in the order of the workflow, then of time."""
    answers = collect(session, "contribution_stages", contribution_id=contribution_id)
    told = [stage for _plugin, stages in answers for stage in stages]
    return sorted(told, key=lambda stage: (STAGES.index(stage.stage), stage.at))


@hookimpl
def contribution_stages(session: Session, contribution_id: UUID) -> list[Stage]:
    """Trigger, score and its corrections, record, review, progress, and the reward that was asked for."""
    found = session.get(Contribution, contribution_id)
    if found is None:
        return []
    at = found.created_at
    lines = ", ".join(f"{line['label']} {line['points']:+d}" for line in found.breakdown) or "0"
    stages = [
        Stage(
            at=found.occurred_at,
            stage="trigger",
            title=_("Reported"),
            icon="bolt",
            detail=f"{found.type} · {found.source}",
        ),
        Stage(
            at=at,
            stage="score",
            title=_("Scored"),
            icon="calculator",
            detail=f"{lines} = {found.points} · v{found.type_version}",
        ),
        Stage(
            at=at,
            stage="record",
            title=_("Recorded"),
            icon="database",
            state=found.state,
            detail=found.reason or "",
        ),
    ]
    if found.state in ("counted", "reversed"):
        detail = f"{found.total:+d} · {found.local_day.isoformat()}"
        stages.append(Stage(at=at, stage="progress", title=_("Progress updated"), icon="trending-up", detail=detail))
    reached = select(Milestone.label, MilestoneReachedRow.created_at).join(Milestone)
    for label, when in session.execute(reached.where(MilestoneReachedRow.contribution_id == contribution_id)):
        stages.append(Stage(at=when, stage="progress", title=_("Milestone reached"), icon="flag", detail=label))
    levels = select(Level.label, LevelReachedRow.created_at).join(Level)
    for label, when in session.execute(levels.where(LevelReachedRow.contribution_id == contribution_id)):
        stages.append(Stage(at=when, stage="progress", title=_("Level reached"), icon="trending-up", detail=label))
    review = session.scalar(select(Review).where(Review.contribution_id == contribution_id))
    if review is not None:
        why = ", ".join(one["signal"] for one in review.signals)
        stages.append(
            Stage(
                at=review.decided_at or review.created_at,
                stage="record",
                title=_("Held for a review"),
                icon="shield-check",
                state=review.state,
                detail=f"{why} {review.reason}".strip(),
            )
        )
    for one in corrections_of(session, contribution_id):
        detail = f"{one.points:+d} · {one.kind} · {one.reason}"
        stages.append(Stage(at=one.created_at, stage="score", title=_("Corrected"), icon="adjustments", detail=detail))
    for reward in session.scalars(select(Reward).where(Reward.contribution_id == contribution_id)):
        detail = f"{reward.amount} {reward.asset} · {reward.reason}"
        stages.append(
            Stage(
                at=reward.created_at,
                stage="reward",
                title=_("Reward requested"),
                icon="gift",
                state="requested",
                detail=detail,
            )
        )
    return stages


@hookimpl
def member_panels(session: Session, actor: Actor, member_id: UUID) -> list[Panel]:
    """Progress and the latest contributions on a member's page."""
    if not actor.can("contributions:contribution:list"):
        return []
    progress = queries.progress_of(session, member_id)
    latest = queries.latest(session, member_id)
    template = "contributions/member_panel.html"
    return [
        Panel(title=_("Contributions"), template=template, context={"progress": progress, "latest": latest}, order=10)
    ]


@hookimpl
def first_start(session: Session, platform: Any) -> str | None:
    """Ask for the import of the repository that the boot settings name; beside the demo, of this checkout's own.

    Asked for at every start: what is there is skipped, and what was committed since is added.
    """
    repo = platform.config.repo
    if repo is None and platform.config.load_demo and (CHECKOUT / ".git").exists() and shutil.which("git"):
        repo = CHECKOUT
    if repo is None:
        return None
    enqueue_once(session, Actor.system("first start"), "contributions.import_git", {"path": str(repo.resolve())})
    return f"The history of {repo.resolve().name} is being imported."
