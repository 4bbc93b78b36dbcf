"""Open, take, discuss and decide cases. The case, its effect, the event and the audit row are one transaction."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from core import lifecycle
from core.access import member_permissions
from core.actor import Actor
from core.audit.trail import plain, record
from core.clock import now
from core.errors import NotFound
from core.events.publish import publish
from core.ids import new_id
from core.reviews import errors
from core.reviews.events import ReviewAssigned, ReviewDecided, ReviewEscalated, ReviewOpened
from core.reviews.kind import ReviewKind
from core.reviews.models import OPEN, Review, ReviewNote
from core.switches import service as switches

SUBJECT = "core.review"
ESCALATED = "core:review:escalated"


def open_review(
    session: Session,
    actor: Actor,
    kind: str,
    *,
    subject_id: Any,
    title: str,
    member_id: UUID | None = None,
    params: dict[str, Any] | None = None,
    due: timedelta | None = None,
) -> UUID:
    """Ask a person to decide; returns the id of the case, or of the one that is open for the subject already.

    ``kind`` is ``<plugin>.<name>``; ``title`` holds no personal data; ``params`` is what ``decide`` needs. Raises
    LookupError for a kind that no loaded plugin declares.
    """
    declared = _kind(session, kind)
    at = now()
    values = {
        "id": new_id(),
        "kind": kind,
        "subject_id": str(subject_id),
        "member_id": member_id,
        "title": title[:200],
        "params": plain(params or {}),
        "opened_at": at,
        "opened_by": actor.member_id,
        "due_at": at + (due or declared.due),
        "correlation_id": actor.correlation_id,
    }
    statement = insert(Review).values(values)
    # A literal: under a prepared statement's generic plan, a parameter finds no partial index.
    once = statement.on_conflict_do_nothing(index_elements=["kind", "subject_id"], index_where=OPEN)
    fresh: UUID | None = session.scalar(once.returning(Review.id))
    if fresh is None:
        same = Review.kind == kind, Review.subject_id == str(subject_id), Review.state == "open"
        known = session.scalar(select(Review.id).where(*same))
        # decided between the two statements: what is asked now is a new case
        return known or open_review(
            session, actor, kind, subject_id=subject_id, title=title, member_id=member_id, params=params, due=due
        )
    opened = ReviewOpened(review_id=fresh, kind=kind, subject_id=str(subject_id), member_id=member_id)
    publish(session, actor, opened)
    return fresh


def withdraw_review(session: Session, actor: Actor, kind: str, *, subject_id: Any, reason: str) -> bool:
    """Close the open case of a subject without a decision: nothing is left to decide. False if there is none."""
    same = Review.kind == kind, Review.subject_id == str(subject_id), Review.state == "open"
    review = session.scalar(select(Review).where(*same).with_for_update())
    if review is None:
        return False
    _close(session, actor, review, "withdrawn", reason)
    return True


def claim(session: Session, actor: Actor, review_id: UUID, *, take_over: bool = False) -> Review:
    """Take a case. Raises ReviewTaken when somebody else has it, unless ``take_over``."""
    review = _for_work(session, actor, review_id)
    if review.assignee_id not in (None, actor.member_id) and not take_over:
        raise errors.ReviewTaken()
    assert actor.member_id
    return _assign(session, actor, review, actor.member_id)


def release(session: Session, actor: Actor, review_id: UUID) -> Review:
    """Give a case back to all."""
    review = _for_work(session, actor, review_id)
    if review.assignee_id:
        before, review.assignee_id = review.assignee_id, None
        _record(session, actor, review, "released", {"assignee_id": [before, None]})
    return review


def assign(session: Session, actor: Actor, review_id: UUID, *, assignee_id: UUID) -> Review:
    """Give a case to somebody. Raises AssigneeRefused for who may not decide it."""
    review = _for_work(session, actor, review_id)
    needed = _kind(session, review.kind).permission
    barred = assignee_id == review.member_id or (review.opened_by == assignee_id and _four_eyes(session, review))
    if barred or needed not in member_permissions(session, assignee_id):
        raise errors.AssigneeRefused()
    return _assign(session, actor, review, assignee_id)


def escalate(session: Session, actor: Actor, review_id: UUID, *, reason: str) -> Review:
    """Pass a case up to those who decide escalated ones; it is nobody's again. Raises ReasonNeeded."""
    review = _for_work(session, actor, review_id)
    if review.escalated_at is None:
        review.escalated_at, review.assignee_id = now(), None
        _record(session, actor, review, "escalated", reason=_reason(reason))
        publish(session, actor, ReviewEscalated(review_id=review.id, kind=review.kind))
    return review


def note(session: Session, actor: Actor, review_id: UUID, *, text: str) -> ReviewNote:
    """Write something down about a case, decided or not. Raises ReasonNeeded for an empty or endless text."""
    review = get(session, actor, review_id)
    about = {"review_id": review.id, "member_id": review.member_id, "author_id": actor.member_id}
    written = ReviewNote(**about, text=_reason(text, most=4000))
    session.add(written)
    session.flush()
    return written


def decide(session: Session, actor: Actor, review_id: UUID, *, approved: bool, reason: str = "") -> Review:
    """Decide a case, once, and carry it out. A rejection takes a reason.

    Raises ReviewDecided, ReviewTaken, FourEyesNeeded, OwnCase, ReasonNeeded, PermissionMissing, and whatever the kind's
    ``decide`` refuses; then the case stays open.
    """
    review = _for_work(session, actor, review_id)
    kind = _kind(session, review.kind)
    if review.assignee_id not in (None, actor.member_id):
        raise errors.ReviewTaken()
    if review.escalated_at:
        actor.require(ESCALATED)
    if kind.four_eyes and actor.member_id in (None, review.opened_by):
        raise errors.FourEyesNeeded()
    if review.member_id is not None and actor.member_id == review.member_id:
        raise errors.OwnCase()
    kept = _reason(reason) if reason.strip() or not approved else ""
    if approved and kind.moves_value:
        actor.require_step_up(or_key=True)
        switches.require_value_routes(session, review.kind.split(".")[0])
    kind.decide(session, actor, review, approved)
    _close(session, actor, review, "approved" if approved else "rejected", kept)
    decided = ReviewDecided(review_id=review.id, kind=review.kind, subject_id=review.subject_id, approved=approved)
    publish(session, actor, decided)
    return review


def get(session: Session, actor: Actor, review_id: UUID, *, lock: bool = False) -> Review:
    """A case this actor may see. Raises NotFound: what may not be seen is not told."""
    key = {"with_for_update": True, "populate_existing": True} if lock else {}
    review = session.get(Review, review_id, **key)  # type: ignore[arg-type]
    if review is None or review.kind not in visible_kinds(session, actor):
        raise NotFound()
    return review


def visible_kinds(session: Session, actor: Actor) -> dict[str, ReviewKind]:
    """The kinds of enabled plugins whose cases this actor may see."""
    off = lifecycle.disabled(session)
    kinds: dict[str, ReviewKind] = session.info["registry"].reviews
    return {name: kind for name, kind in kinds.items() if name.split(".")[0] not in off and actor.can(kind.permission)}


def _for_work(session: Session, actor: Actor, review_id: UUID) -> Review:
    actor.require_own()
    review = get(session, actor, review_id, lock=True)
    if review.state != "open":
        raise errors.ReviewDecided(state=review.state)
    return review


def _kind(session: Session, name: str) -> ReviewKind:
    kinds: dict[str, ReviewKind] = session.info["registry"].reviews
    if name not in kinds:
        raise LookupError(f"no plugin declares the review kind {name}")
    return kinds[name]


def _four_eyes(session: Session, review: Review) -> bool:
    return _kind(session, review.kind).four_eyes


def _assign(session: Session, actor: Actor, review: Review, assignee_id: UUID) -> Review:
    if review.assignee_id != assignee_id:
        before, review.assignee_id = review.assignee_id, assignee_id
        _record(session, actor, review, "assigned", {"assignee_id": [before, assignee_id]})
        publish(session, actor, ReviewAssigned(review_id=review.id, kind=review.kind, assignee_id=assignee_id))
    return review


def _close(session: Session, actor: Actor, review: Review, state: str, reason: str) -> None:
    review.state, review.decided_at, review.decided_by, review.reason = state, now(), actor.member_id, reason or None
    _record(session, actor, review, state, {"state": ["open", state]}, reason=reason or None)
    session.flush()


def _record(
    session: Session,
    actor: Actor,
    review: Review,
    verb: str,
    changes: dict[str, Any] | None = None,
    reason: str | None = None,
) -> None:
    record(
        session, actor, f"{SUBJECT}.{verb}", subject_type=SUBJECT, subject_id=review.id, changes=changes, reason=reason
    )


def _reason(given: str, most: int = 500) -> str:
    reason = given.strip()
    if not 3 <= len(reason) <= most:
        raise errors.ReasonNeeded()
    return reason
