"""Reviews: what looked like abuse waits for a person, who releases or rejects it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from guildhall import (
    Actor,
    Invalid,
    Member,
    NotFound,
    ReviewKind,
    _,
    audit,
    locks,
    members,
    new_id,
    now,
    publish,
)
from guildhall import Review as Case
from guildhall import reviews as inbox

from . import milestones, progress, queries, sharing
from .errors import AlreadyDecided
from .events import ContributionRecorded, ReviewDecided, ReviewOpened
from .models import Contribution, Review
from .risk import LABELS

LONGEST_REASON = 200
HELD = "contributions.held"


def open_reviews(session: Session, actor: Actor, held: Sequence[tuple[dict[str, Any], list[dict[str, Any]]]]) -> None:
    """Hold (stored) contributions back as pending, with a review and an entry of the security log for each."""
    at = now()
    rows = [
        {
            "id": new_id(),
            "contribution_id": row["id"],
            "member_id": row["member_id"],
            "signals": signals,
            "created_at": at,
        }
        for row, signals in held
    ]
    reason = {row["id"]: f"review:{signals[0]['signal']}" for row, signals in held}
    pending = update(Contribution).where(Contribution.id.in_([row["id"] for row, _signals in held]))
    session.execute(pending.values(state="pending", reason="review"), execution_options={"synchronize_session": False})
    session.execute(insert(Review), rows)
    for row in rows:
        audit(
            session,
            actor,
            "contributions.review.opened",
            subject_type="contributions.review",
            subject_id=row["id"],
            changes={"contribution": [None, row["contribution_id"]], "member": [None, row["member_id"]]},
            reason=reason[row["contribution_id"]],
        )
        inbox.open_review(
            session,
            actor,
            HELD,
            subject_id=row["id"],
            title=" · ".join(LABELS[one["signal"]] for one in row["signals"]),
            member_id=row["member_id"],
            params={"contribution": str(row["contribution_id"]), "signals": row["signals"]},
        )
    publish(
        session,
        actor,
        *(
            ReviewOpened(review_id=row["id"], contribution_id=row["contribution_id"], member_id=row["member_id"])
            for row in rows
        ),
    )


def decide(
    session: Session, actor: Actor, review_id: UUID, *, release: bool, reason: str, in_inbox: bool = False
) -> Review:
    """Release what was held back, which then counts as if it had never waited, or reject it.

    Unless it is decided ``in_inbox``, its case there is withdrawn. Raises NotFound, Invalid (no reason),
    AlreadyDecided when somebody decided otherwise; the same decision twice is as once. Audited.
    """
    actor.require("contributions:review:update")
    reason = reason.strip()
    if not 1 <= len(reason) <= LONGEST_REASON:
        raise Invalid({"reason": [_("Give a reason of 1 to 200 characters.")]})
    review: Review | None = session.scalar(select(Review).where(Review.id == review_id))
    if review is None:
        raise NotFound()
    if not in_inbox:
        inbox.withdraw_review(session, actor, HELD, subject_id=review.id, reason=reason)
    locks.members(session, [review.member_id])
    session.refresh(review)
    wanted = "released" if release else "rejected"
    if review.state != "open":
        if review.state == wanted:
            return review
        raise AlreadyDecided(state=review.state)
    review.state, review.reason, review.decided_at, review.decided_by = wanted, reason, now(), actor.member_id
    contribution = session.get_one(Contribution, review.contribution_id, populate_existing=True)
    if release:
        contribution.state, contribution.reason = "counted", None
        session.flush()
        points = progress.add(session, [progress.Change(contribution.id, contribution.total)])
        gains = {contribution.member_id: [(contribution.id, contribution.total)]}
        milestones.reach(session, actor, gains, points)
        publish(
            session,
            actor,
            ContributionRecorded(
                contribution_id=contribution.id,
                member_id=contribution.member_id,
                type=contribution.type,
                points=contribution.total,
            ),
        )
    else:
        contribution.state, contribution.reason = "rejected", "review"
        contribution.points, contribution.breakdown = 0, []
    session.flush()
    audit(
        session,
        actor,
        f"contributions.review.{wanted}",
        subject_type="contributions.review",
        subject_id=review.id,
        changes={"state": ["open", wanted]},
        reason=reason,
    )
    decided = ReviewDecided(
        review_id=review.id, contribution_id=contribution.id, member_id=contribution.member_id, state=wanted
    )
    publish(session, actor, decided)
    return review


def decide_group(session: Session, actor: Actor, review_id: UUID, *, release: bool, reason: str) -> int:
    """Decide a review, and with it every open one of those who share something with its member; returns how many.

    Each is decided in the inbox, under its rules: one that somebody else works on, or that is about the actor, refuses
    the whole. Raises NotFound, and what the inbox's ``decide`` raises. Audited one by one.
    """
    actor.require("contributions:review:update")
    review = session.get(Review, review_id)
    if review is None:
        raise NotFound()
    wanted = {str(one.id) for one in (review, *sharing.open_of_group(session, review))}
    cases = select(Case).where(Case.kind == HELD, Case.subject_id.in_(wanted), Case.state == "open")
    found = session.scalars(cases.order_by(Case.id).with_for_update()).all()
    locks.members(session, {one.member_id for one in found if one.member_id})  # after the cases, as a single one does
    for case in found:
        inbox.decide(session, actor, case.id, approved=release, reason=reason)
    return len(found)


def _decide_case(session: Session, actor: Actor, case: Case, approved: bool) -> None:
    decide(session, actor, UUID(case.subject_id), release=approved, reason="decided in the inbox", in_inbox=True)


def _load_case(session: Session, actor: Actor, case: Case) -> dict[str, Any]:
    """The contribution that is held, why, and who shares what with its member."""
    review = session.get_one(Review, UUID(case.subject_id))
    contribution = session.get_one(Contribution, review.contribution_id)
    waiting = sharing.open_of_group(session, review) if review.state == "open" else []
    return {
        "review": review,
        "contribution": contribution,
        "type": queries.type_names(session).get(contribution.type, contribution.type),
        "labels": LABELS,
        "mates": _mates(session, review),
        "waiting": len({review.id, *(one.id for one in waiting)}),
    }


def _mates(session: Session, review: Review) -> list[dict[str, Any]]:
    """Those who share something with the member of a review, by name, and what: as it was found, and as it is now."""
    kinds: dict[UUID, set[str]] = {}
    for signal in review.signals:
        for one in signal.get("members", ()):
            kinds.setdefault(UUID(one), set()).add(signal["signal"].removeprefix(sharing.PREFIX))
    if not kinds:
        return []
    seen = {
        one.member_id: one
        for one in members.sharing(session, [review.member_id], kinds=members.KINDS).get(review.member_id, ())
    }
    names = dict(session.execute(select(Member.id, Member.display_name).where(Member.id.in_(kinds))).tuples().all())
    return [
        {
            "id": one,
            "name": names[one],
            "kinds": sorted({*found, *(seen[one].kinds if one in seen else ())} & {*members.KINDS}),
            "seen_at": seen[one].seen_at if one in seen else None,
        }
        for one, found in sorted(kinds.items(), key=lambda pair: names.get(pair[0], ""))
        if one in names
    ]


KIND = ReviewKind(
    name="held",
    label=_("Contribution that looks like abuse"),
    permission="contributions:review:update",
    decide=_decide_case,
    moves_value=True,
    load=_load_case,
    template="contributions/review.html",
    icon="shield-check",
    approve=_("Release it"),
)
