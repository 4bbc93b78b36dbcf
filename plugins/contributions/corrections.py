"""Corrections: a score is never edited; a compensating event says what it is worth now, and why."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from guildhall import Actor, Invalid, NotFound, _, audit, locks, new_id, now, publish

from . import milestones, progress, service
from .errors import NotCounted
from .events import ContributionCorrected
from .models import Contribution, Correction, Override
from .rules import Score

LONGEST_REASON = 200
MOST_POINTS = 10**12
GRANTED = "admin.granted"


def override_score(session: Session, actor: Actor, contribution_id: UUID, *, points: int, reason: str) -> Contribution:
    """Let a contribution be worth ``points`` from now on, by a compensating event; audited.

    Raises NotFound, Invalid by field, NotCounted. The same points as before change nothing. Re-scoring leaves it.
    """
    actor.require("contributions:contribution:correct")
    points, reason = _checked_points(points), checked_reason(reason)
    contribution = _locked(session, contribution_id)
    if delta := points - contribution.total:
        _correct(session, actor, contribution, "override", delta, reason)
        gains = {contribution.member_id: [(contribution.id, delta)]}
        after = progress.add(session, [progress.Change(contribution.id, delta, 0)])
        milestones.reach(session, actor, gains, after)
    return contribution


def grant(
    session: Session,
    actor: Actor,
    *,
    member_id: UUID,
    points: int,
    reason: str,
    type: str = GRANTED,
    event_key: str | None = None,
) -> Contribution:
    """Give a member ``points`` by hand: a contribution of a type that is worth these points, whatever its rules say.

    One that is held for a review, or rejected by a limit of its type, comes back as that; released, it is worth
    ``points`` too. The same (``type``, ``event_key``) is granted once. Re-scoring leaves it. Audited.
    Raises Invalid by field, and as ``service.record``.
    """
    actor.require("contributions:contribution:correct")
    points, reason = _checked_points(points), checked_reason(reason)
    made = service.record(
        session,
        actor,
        member_id=member_id,
        type=type,
        event_key=event_key or f"grant:{new_id()}",
        source="admin",
        given=Score(points, [{"label": f"Granted: {reason}", "points": points}]),
    )
    audit(
        session,
        actor,
        "contributions.contribution.granted",
        subject_type="contributions.contribution",
        subject_id=made.id,
        changes={"points": [None, points], "state": [None, made.state]},
        reason=reason,
    )
    return made


def reverse(session: Session, actor: Actor, contribution_id: UUID, *, reason: str) -> Contribution:
    """Take a contribution back: it counts no longer, its points go, and it stays in the history; audited.

    Badges, milestones and paid rewards stay: taking those back is a separate decision. Its key stays used, and its
    place in a frequency limit too. Raises NotFound, Invalid (no reason), NotCounted (also when reversed before).
    """
    actor.require("contributions:contribution:correct")
    reason = checked_reason(reason)
    contribution = _locked(session, contribution_id)
    worth = contribution.total
    progress.add(session, [progress.Change(contribution.id, -worth, -1)])
    _correct(session, actor, contribution, "reversal", -worth, reason)
    contribution.state = "reversed"
    contribution.reason = f"reversed: {reason}"[:120]
    session.flush()
    progress.settle(session, [contribution.member_id])
    return contribution


def checked_reason(reason: str) -> str:
    """A reason of 1 to 200 characters. Raises Invalid."""
    reason = reason.strip()
    if not 1 <= len(reason) <= LONGEST_REASON:
        raise Invalid({"reason": [_("Give a reason of 1 to 200 characters.")]})
    return reason


def _checked_points(points: int) -> int:
    if not 0 <= points <= MOST_POINTS:
        raise Invalid({"points": [_("Give 0 to 1,000,000,000,000 points.")]})
    return points


def _locked(session: Session, contribution_id: UUID) -> Contribution:
    """A contribution that counts, with its member locked. Raises NotFound, NotCounted."""
    member_id = session.scalar(select(Contribution.member_id).where(Contribution.id == contribution_id))
    if member_id is None:
        raise NotFound()
    locks.members(session, [member_id])
    contribution = session.get_one(Contribution, contribution_id, populate_existing=True)
    if contribution.state != "counted":
        raise NotCounted(state=contribution.state)
    return contribution


def _correct(session: Session, actor: Actor, contribution: Contribution, kind: str, points: int, reason: str) -> None:
    label = {"override": "Override", "reversal": "Reversal"}[kind]
    correction = Correction(
        id=new_id(),
        contribution_id=contribution.id,
        kind=kind,
        points=points,
        breakdown=[{"label": f"{label}: {reason}", "points": points}],
        type_version=contribution.type_version,
        reason=reason,
        made_by=actor.member_id,
        created_at=now(),
        correlation_id=actor.correlation_id,
    )
    session.add(correction)
    session.flush()
    add_up = text("UPDATE contributions_contribution SET correction = correction + :points WHERE id = :id")
    session.execute(add_up, {"points": points, "id": contribution.id})
    before = contribution.total
    session.refresh(contribution)
    audit(
        session,
        actor,
        f"contributions.contribution.{kind}",
        subject_type="contributions.contribution",
        subject_id=contribution.id,
        changes={"points": [before, contribution.total]},
        reason=reason,
    )
    publish(
        session,
        actor,
        ContributionCorrected(
            contribution_id=contribution.id,
            member_id=contribution.member_id,
            type=contribution.type,
            kind=kind,
            points=points,
        ),
    )


def corrections_of(session: Session, contribution_id: UUID) -> list[Correction]:
    """What corrected a contribution, oldest first."""
    query = select(Correction).where(Correction.contribution_id == contribution_id)
    return list(session.scalars(query.order_by(Correction.created_at, Correction.id)))


def create_override(session: Session, actor: Actor, values: dict[str, Any]) -> Override:
    """Let scoring differ for a while. Raises Invalid by field."""
    _check_override(values)
    override = Override(**values)
    session.add(override)
    session.flush()
    return override


def update_override(session: Session, actor: Actor, record: Override, values: dict[str, Any]) -> Override:
    """Change an override; what was scored with it keeps its score. Raises Invalid by field."""
    names = ("basis_points", "points", "starts_at", "ends_at", "reason")
    _check_override({**{name: getattr(record, name) for name in names}, **values})
    for name, value in values.items():
        setattr(record, name, value)
    session.flush()
    return record


def _check_override(values: dict[str, Any]) -> None:
    problems: dict[str, list[str]] = {}
    share, points = values.get("basis_points"), values.get("points")
    if (share is None) == (points is None):
        problems["basis_points"] = [_("Give either basis points of the score or fixed points.")]
    elif share is not None and not 0 <= share <= 1_000_000:
        problems["basis_points"] = [_("Give 0 to 1,000,000 basis points; 10,000 leaves the score as it is.")]
    elif points is not None and not 0 <= points <= MOST_POINTS:
        problems["points"] = [_("Give 0 to 1,000,000,000,000 points.")]
    if not (values.get("reason") or "").strip():
        problems["reason"] = [_("Give a reason of 1 to 200 characters.")]
    if values["starts_at"] >= values["ends_at"]:
        problems["ends_at"] = [_("The end must come after the beginning.")]
    if problems:
        raise Invalid(problems)
