"""What the inbox can tell. Every list is bounded and read by an index."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Select, and_, func, or_, select
from sqlalchemy.orm import Session

from core.access import holders_of
from core.actor import Actor
from core.clock import now
from core.members.models import Member
from core.reviews.models import Review, ReviewNote
from core.reviews.service import visible_kinds

MOST_COUNTED = 1000
VIEWS = ("open", "mine", "free", "late", "escalated", "decided")


@dataclass(frozen=True, kw_only=True)
class Filter:
    """Which cases: a view, perhaps one kind, perhaps one member."""

    view: str = "open"
    kind: str = ""
    member_id: UUID | None = None


def order(wanted: Filter) -> list[tuple[Any, bool]]:
    """Keys of keyset paging: open cases by due time, decided ones the newest first."""
    if wanted.view == "decided":
        return [(Review.decided_at, True), (Review.id, True)]
    return [(Review.due_at, False), (Review.id, False)]


def next_case(session: Session, actor: Actor, wanted: Filter, after: Review | None = None) -> UUID | None:
    """The case that comes after ``after`` in the view; the first one when it was the last."""
    query = matching(session, actor, wanted).with_only_columns(Review.id).order_by(Review.due_at, Review.id).limit(1)
    if after is not None:
        beyond = or_(Review.due_at > after.due_at, and_(Review.due_at == after.due_at, Review.id > after.id))
        if found := session.scalar(query.where(beyond)):
            return found
        query = query.where(Review.id != after.id)
    return session.scalar(query)


def counts(session: Session, actor: Actor) -> dict[str, int]:
    """How many open cases each view holds, up to a thousand."""
    query = matching(session, actor, Filter()).limit(MOST_COUNTED).subquery()
    row = session.execute(
        select(
            func.count().label("open"),
            func.count().filter(query.c.assignee_id == actor.member_id).label("mine"),
            func.count().filter(query.c.assignee_id.is_(None)).label("free"),
            func.count().filter(query.c.due_at < now()).label("late"),
            func.count().filter(query.c.escalated_at.is_not(None)).label("escalated"),
        )
    ).one()
    return dict(row._mapping)


def waiting(session: Session, actor: Actor) -> Select[int]:
    """How many open cases this actor could decide or has, up to 100: the figure beside the inbox in the sidebar."""
    free = or_(Review.assignee_id.is_(None), Review.assignee_id == actor.member_id)
    query = matching(session, actor, Filter()).where(free).with_only_columns(Review.id).limit(100)
    return select(func.count()).select_from(query.subquery())


def notes(session: Session, review: Review) -> Sequence[ReviewNote]:
    """What was written down about a case, the oldest first."""
    return session.scalars(select(ReviewNote).where(ReviewNote.review_id == review.id).order_by(ReviewNote.id)).all()


def deciders(
    session: Session, permission: str, begins: str = "", without: Collection[UUID | None] = ()
) -> list[Member]:
    """Active members whose roles grant ``permission`` and whose name begins so, by name, at most fifty; none of
    ``without``."""
    able = Member.user_id.in_(holders_of(permission)), Member.status == "active"
    query = select(Member).where(*able, func.lower(Member.display_name).startswith(begins.lower(), autoescape=True))
    if barred := {one for one in without if one is not None}:
        query = query.where(Member.id.not_in(barred))
    return list(session.scalars(query.order_by(Member.display_name, Member.id).limit(50)))


def people(session: Session, reviews: Sequence[Review]) -> dict[UUID, str]:
    """Names of everybody these cases mention."""
    keys = {key for one in reviews for key in (one.member_id, one.assignee_id, one.opened_by, one.decided_by) if key}
    if not keys:
        return {}
    return dict(session.execute(select(Member.id, Member.display_name).where(Member.id.in_(keys))).tuples().all())


def matching(session: Session, actor: Actor, wanted: Filter) -> Select[tuple[Review]]:
    """The cases of a view that this actor may see."""
    kinds = set(visible_kinds(session, actor))
    query = select(Review).where(Review.kind.in_(kinds & {wanted.kind} if wanted.kind else kinds))
    query = query.where(Review.state != "open" if wanted.view == "decided" else Review.state == "open")
    if wanted.member_id:
        query = query.where(Review.member_id == wanted.member_id)
    if wanted.view == "mine":
        query = query.where(Review.assignee_id == actor.member_id)
    elif wanted.view == "free":
        query = query.where(Review.assignee_id.is_(None))
    elif wanted.view == "late":
        query = query.where(Review.due_at < now())
    elif wanted.view == "escalated":
        query = query.where(Review.escalated_at.is_not(None))
    return query
