"""Score a period anew by the rules of today: as a dry run that changes nothing, then as compensating events.

Both go through the period in pages of 1,000, a transaction each, and go on after a crash where they were.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import exists, select, text, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from guildhall import Actor, Invalid, JobContext, NotFound, _, audit, enqueue, locks, new_id, now, publish

from . import milestones, progress, scoring
from .corrections import checked_reason
from .errors import RescoreNotReady
from .events import BatchCorrected
from .models import BY_HAND, Contribution, ContributionType, Correction, Rescore
from .scoring_context import know

PAGE = 1000
SHOWN = 20

_ADD_UP = text("""
    UPDATE contributions_contribution c SET correction = correction + d.points
    FROM unnest(CAST(:ids AS uuid[]), CAST(:points AS numeric[])) AS d (id, points) WHERE c.id = d.id
""")


def try_out(
    session: Session, actor: Actor, *, starts_at: datetime, ends_at: datetime, reason: str, type: str | None = None
) -> Rescore:
    """Start the dry run of ``[starts_at, ends_at)``; its figures say what applying it would do. Raises Invalid."""
    actor.require("contributions:contribution:correct")
    reason = checked_reason(reason)[:120]
    if starts_at >= ends_at:
        raise Invalid({"ends_at": [_("The end must come after the beginning.")]})
    if type is not None and session.scalar(select(ContributionType.id).where(ContributionType.code == type)) is None:
        raise Invalid({"type": [_("There is no such type.")]})
    row = Rescore(
        id=new_id(),
        type=type,
        starts_at=starts_at,
        ends_at=ends_at,
        reason=reason,
        made_by=actor.member_id,
        figures={},
        created_at=now(),
    )
    session.add(row)
    session.flush()
    enqueue(session, actor, "contributions.rescore", {"rescore_id": str(row.id)})
    return row


def apply(session: Session, actor: Actor, rescore_id: UUID) -> Rescore:
    """Start to write the compensating events of a period that was tried. Raises NotFound, RescoreNotReady."""
    actor.require("contributions:contribution:correct")
    row: Rescore | None = session.scalar(select(Rescore).where(Rescore.id == rescore_id).with_for_update())
    if row is None:
        raise NotFound()
    if row.state != "tried":
        raise RescoreNotReady(state=row.state)
    row.state = "applying"
    session.flush()
    audit(
        session,
        actor,
        "contributions.rescore.applied",
        subject_type="contributions.rescore",
        subject_id=row.id,
        reason=row.reason,
    )
    enqueue(session, actor, "contributions.rescore", {"rescore_id": str(row.id)})
    return row


def find(session: Session, rescore_id: UUID) -> Rescore:
    """A period that is scored anew. Raises NotFound."""
    row: Rescore | None = session.get(Rescore, rescore_id)
    if row is None:
        raise NotFound()
    return row


def run(context: JobContext) -> dict[str, Any]:
    """The job: try or apply, as the row says; page by page from the last checkpoint."""
    rescore_id = UUID(context.params["rescore_id"])
    figures = {"contributions": 0, "changed": 0, "points": 0, "up": 0, "down": 0, "examples": []}
    state = {"after": None, "figures": figures, **context.checkpoint()}
    with context.unit_of_work() as session:
        row = session.get_one(Rescore, rescore_id)
        total = session.scalar(text(f"SELECT count(*) FROM contributions_contribution c WHERE {_PERIOD}"), _span(row))
    while True:
        with context.unit_of_work() as session:
            row = session.get_one(Rescore, rescore_id)
            if row.state in ("tried", "applied"):
                return dict(row.figures)
            more = _page(session, context.actor, row, state)
            if not more:
                name = "tried" if row.state == "trying" else "applied"
                row.figures = {**row.figures, name: state["figures"]}
                row.state = name
            context.save(session, **state)
        context.progress(state["figures"]["contributions"], total)
        if not more:
            return dict(state["figures"])


_PERIOD = """
    c.state = 'counted' AND c.occurred_at >= :starts AND c.occurred_at < :ends
    AND (CAST(:type AS text) IS NULL OR type = :type)
"""


def _span(row: Rescore) -> dict[str, Any]:
    return {"starts": row.starts_at, "ends": row.ends_at, "type": row.type}


def _page(session: Session, actor: Actor, rescore: Rescore, state: dict[str, Any]) -> bool:
    """One page; returns whether there may be another. ``state`` learns how far it came and what it found."""
    place = tuple_(Contribution.occurred_at, Contribution.id)
    query = select(Contribution.id, Contribution.member_id, Contribution.occurred_at).where(
        Contribution.state == "counted",
        Contribution.occurred_at >= rescore.starts_at,
        Contribution.occurred_at < rescore.ends_at,
    )
    if rescore.type:
        query = query.where(Contribution.type == rescore.type)
    if state["after"]:
        at, last = state["after"]
        query = query.where(place > (datetime.fromisoformat(at), UUID(last)))
    found = session.execute(query.order_by(Contribution.occurred_at, Contribution.id).limit(PAGE)).all()
    if not found:
        return False
    if rescore.state == "applying":
        locks.members(session, {one.member_id for one in found})
    changes = _changes(session, [one.id for one in found])
    if rescore.state == "applying":
        changes = _write(session, actor, rescore, changes)
    figures = dict(state["figures"])
    figures["contributions"] += len(found)
    figures["changed"] += len(changes)
    figures["points"] += sum(delta for _row, delta in changes)
    figures["up"] += sum(delta > 0 for _row, delta in changes)
    figures["down"] += sum(delta < 0 for _row, delta in changes)
    largest = [[str(row["id"]), row["total"], row["total"] + delta] for row, delta in changes]
    shown = sorted([*figures["examples"], *largest], key=lambda one: -abs(one[2] - one[1]))
    figures["examples"] = shown[:SHOWN]
    state["figures"], state["after"] = figures, [found[-1].occurred_at.isoformat(), str(found[-1].id)]
    return len(found) == PAGE


def _changes(session: Session, ids: Sequence[UUID]) -> list[tuple[dict[str, Any], int]]:
    """What the rules of today would change, but for what a person scored."""
    overridden = exists().where(Correction.contribution_id == Contribution.id, Correction.kind == "override")
    query = select(Contribution).where(Contribution.id.in_(ids), Contribution.state == "counted")
    query = query.where(Contribution.type_version != BY_HAND, ~overridden)
    query = query.order_by(Contribution.occurred_at, Contribution.id).execution_options(populate_existing=True)
    found = session.scalars(query).all()
    if not found:
        return []
    members, codes = {one.member_id for one in found}, {one.type for one in found}
    known = know(session, list(members), list(codes), found[0].occurred_at, found[-1].occurred_at, disabled=True)
    rows: list[dict[str, Any]] = [
        {
            "id": one.id,
            "member_id": one.member_id,
            "type": one.type,
            "details": one.details,
            "source": one.source,
            "occurred_at": one.occurred_at,
            "challenge_id": one.challenge_id,
            "submission_id": one.submission_id,
            "total": one.total,
        }
        for one in found
    ]
    scoring.score_rows(session, rows, known.rules, known.people, known.overrides)
    return [(row, row["points"] - row["total"]) for row in rows if row["points"] != row["total"]]


def _write(
    session: Session, actor: Actor, rescore: Rescore, changes: list[tuple[dict[str, Any], int]]
) -> list[tuple[dict[str, Any], int]]:
    """Write compensating events; one that was written before is left out, so a repeated page changes nothing."""
    if not changes:
        return []
    at = now()
    rows: list[dict[str, Any]] = [
        {
            "id": new_id(),
            "contribution_id": row["id"],
            "kind": "rescore",
            "points": delta,
            "breakdown": [{"label": f"Scored anew by version {row['type_version']}", "points": delta}],
            "type_version": row["type_version"],
            "reason": rescore.reason,
            "made_by": rescore.made_by,
            "rescore_id": rescore.id,
            "created_at": at,
            "correlation_id": actor.correlation_id,
        }
        for row, delta in changes
    ]
    new = insert(Correction).on_conflict_do_nothing(index_elements=["rescore_id", "contribution_id"])
    written = set(session.scalars(new.returning(Correction.contribution_id), rows))
    done = [(row, delta) for row, delta in changes if row["id"] in written]
    if not done:
        return []
    session.execute(_ADD_UP, {"ids": [row["id"] for row, _d in done], "points": [delta for _row, delta in done]})
    after = progress.add(session, [progress.Change(row["id"], delta, 0) for row, delta in done])
    gains: dict[UUID, list[tuple[UUID, int]]] = {}
    for row, delta in done:
        gains.setdefault(row["member_id"], []).append((row["id"], delta))
    milestones.reach(session, actor, gains, after, quiet=True)
    event = BatchCorrected(
        rescore_id=rescore.id,
        contribution_ids=[row["id"] for row, _delta in done],
        member_ids=sorted(gains),
        types=sorted({row["type"] for row, _delta in done}),
    )
    publish(session, actor, event)
    return done
