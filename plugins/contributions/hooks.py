"""What contributions add to others' pages and to the first start, and a contribution's story."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from flask_babel import gettext
from sqlalchemy import select
from sqlalchemy.orm import Session

from guildhall import Actor, Fact, Facts, Figure, Panel, _, collect, enqueue_once, hookimpl
from guildhall import Review as Case

from . import queries
from .corrections import GRANTED, corrections_of
from .errors import NotARepository
from .history import require_repository
from .hookspecs import STAGES, Stage
from .models import (
    Contribution,
    ContributionType,
    ImportRow,
    Level,
    LevelReachedRow,
    MemberProgress,
    Milestone,
    MilestoneReachedRow,
    Review,
    Reward,
)
from .reviews import HELD
from .risk import LABELS
from .wording import CORRECTIONS, REWARDED, SOURCES, called

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
    of_type = select(ContributionType.id, ContributionType.label).where(ContributionType.code == found.type)
    type_id, label = session.execute(of_type).one()
    lines = ", ".join(f"{line['label']} {line['points']:+d}" for line in found.breakdown) or "0"
    stages = [
        Stage(
            at=found.occurred_at,
            stage="trigger",
            title=_("Reported"),
            icon="bolt",
            detail=f"{gettext(label)} · {called(SOURCES, found.source)}",
            url=_origin(session, found),
        ),
        Stage(
            at=at,
            stage="score",
            title=_("Scored"),
            icon="calculator",
            detail=f"{lines} = {found.points}" + (f" · v{found.type_version}" if found.type_version else ""),
            url=_page("type", type_id),
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
    reached = select(Milestone.id, Milestone.label, MilestoneReachedRow.created_at).join(Milestone)
    for key, label, when in session.execute(reached.where(MilestoneReachedRow.contribution_id == contribution_id)):
        stages.append(_reached(when, _("Milestone reached"), "flag", label, _page("milestone", key)))
    levels = select(Level.id, Level.label, LevelReachedRow.created_at).join(Level)
    for key, label, when in session.execute(levels.where(LevelReachedRow.contribution_id == contribution_id)):
        stages.append(_reached(when, _("Level reached"), "trending-up", label, _page("level", key)))
    stages += _reviewed(session, contribution_id)
    for one in corrections_of(session, contribution_id):
        detail = f"{one.points:+d} · {called(CORRECTIONS, one.kind)} · {one.reason}"
        stages.append(Stage(at=one.created_at, stage="score", title=_("Corrected"), icon="adjustments", detail=detail))
    for reward in session.scalars(select(Reward).where(Reward.contribution_id == contribution_id)):
        detail = f"{reward.amount} {reward.asset} · {called(REWARDED, reward.reason)}"
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


def _reached(at: datetime, title: str, icon: str, label: str, url: str | None) -> Stage:
    return Stage(at=at, stage="progress", title=title, icon=icon, detail=label, url=url)


def _page(resource: str, key: UUID | None) -> str | None:
    return f"/admin/contributions/{resource}/show/{key}" if key else None


def _origin(session: Session, found: Contribution) -> str | None:
    """The import that a contribution came by."""
    if found.source != "import":
        return None
    key = session.scalar(select(ImportRow.import_id).where(ImportRow.contribution_id == found.id).limit(1))
    return f"/admin/contributions/imports/{key}" if key else None


def _reviewed(session: Session, contribution_id: UUID) -> list[Stage]:
    """That a contribution was held back, and what was decided, each with its case."""
    review = session.scalar(select(Review).where(Review.contribution_id == contribution_id))
    if review is None:
        return []
    case = session.scalar(select(Case.id).where(Case.kind == HELD, Case.subject_id == str(review.id)).limit(1))
    url = f"/admin/reviews/{case}" if case else None
    why = " · ".join(gettext(LABELS.get(one["signal"], one["signal"])) for one in review.signals)
    held = Stage(
        at=review.created_at,
        stage="record",
        title=_("Held for a review"),
        icon="shield-check",
        state="done" if review.decided_at else "pending",
        detail=why,
        url=url,
    )
    if review.decided_at is None:
        return [held]
    title = _("Released") if review.state == "released" else _("Rejected")
    told = {"icon": "scale", "state": "counted" if review.state == "released" else "rejected", "detail": review.reason}
    return [held, Stage(at=review.decided_at, stage="record", title=title, url=url, **told)]


@hookimpl
def member_panels(session: Session, actor: Actor, member_id: UUID) -> list[Panel]:
    """Progress and the latest contributions on a member's page."""
    if not actor.can("contributions:contribution:list"):
        return []

    def load() -> dict[str, Any]:
        types = select(ContributionType.code, ContributionType.label).where(ContributionType.enabled)
        may_grant = actor.can("contributions:contribution:correct")
        return {
            "progress": queries.overview(session, member_id),
            "latest": queries.latest(session, member_id),
            "names": queries.type_names(session),
            "member_id": member_id,
            "granted": GRANTED,
            "types": session.execute(types.order_by(ContributionType.code)).tuples().all() if may_grant else [],
        }

    return [Panel(title=_("Progress"), template="contributions/member_panel.html", load=load, order=10)]


@hookimpl
def member_figures(session: Session, actor: Actor, member_id: UUID) -> list[Figure]:
    """A member's points and how many contributions they come from."""
    if not actor.can("contributions:contribution:list"):
        return []
    total, url = session.get(MemberProgress, member_id), f"/admin/members/{member_id}/contributions"
    points, count = (total.points, total.count) if total else (0, 0)
    return [
        Figure(label=_("Points"), value=points, icon="sparkles", url=url, order=10),
        Figure(label=_("Contributions"), value=count, icon="git-commit", url=url, order=11),
    ]


@hookimpl
def member_facts(session: Session, member_ids: Sequence[UUID]) -> Facts:
    """What conditions of automations ask of a member's contributions."""
    fields = {
        "points": Fact(label=_("Points")),
        "level": Fact(label=_("Level")),
        "streak": Fact(label=_("Streak in days")),
        "best_streak": Fact(label=_("Best streak in days")),
        "first_at": Fact(label=_("First contribution"), kind="time"),
        "last_at": Fact(label=_("Last contribution"), kind="time"),
    }
    found = queries.facts(session, member_ids) if member_ids else {}
    values = {
        member_id: {
            "points": one.points,
            "level": one.level,
            "streak": one.streak_current,
            "best_streak": one.streak_best,
            "first_at": one.first_at,
            "last_at": one.last_at,
        }
        for member_id, one in found.items()
    }
    return Facts(fields=fields, values=values)


@hookimpl
def first_start(session: Session, platform: Any) -> str | None:
    """Ask for the import of the repository that the boot settings name; beside the demo, of this checkout's own.

    Asked for at every start: what is there is skipped, and what was committed since is added. A repository that
    cannot be read is told, and the start goes on.
    """
    repo = platform.config.repo
    if repo is None and platform.config.load_demo and (CHECKOUT / ".git").exists() and shutil.which("git"):
        repo = CHECKOUT
    if repo is None:
        return None
    try:
        require_repository(repo)
    except NotARepository as problem:
        return f"No history is imported: {problem.message}."
    enqueue_once(session, Actor.system("first start"), "contributions.import_git", {"path": str(repo.resolve())})
    return f"The history of {repo.resolve().name} is being imported."
