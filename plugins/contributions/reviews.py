"""Reviews: what looked like abuse waits for a person, who releases or rejects it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from guildhall import Actor, Invalid, NotFound, ReviewKind, _, audit, locks, new_id, now, publish
from guildhall import Review as Case
from guildhall import reviews as inbox

from . import milestones, progress
from .errors import AlreadyDecided
from .events import ContributionRecorded, ReviewDecided, ReviewOpened
from .models import Contribution, Review

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
            title=reason[row["contribution_id"]].removeprefix("review:"),
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


def _decide_case(session: Session, actor: Actor, case: Case, approved: bool) -> None:
    decide(session, actor, UUID(case.subject_id), release=approved, reason="decided in the inbox", in_inbox=True)


def _load_case(session: Session, actor: Actor, case: Case) -> dict[str, Any]:
    """The contribution that is held, and why."""
    review = session.get_one(Review, UUID(case.subject_id))
    return {"review": review, "contribution": session.get_one(Contribution, review.contribution_id)}


KIND = ReviewKind(
    name="held",
    label=_("Contribution that looks like abuse"),
    permission="contributions:review:update",
    decide=_decide_case,
    load=_load_case,
    template="contributions/review.html",
    icon="shield-check",
    approve=_("Release"),
)
