"""Tags of members: short words that automations and admins sort people by."""

from __future__ import annotations

import re
from collections.abc import Iterable
from uuid import UUID

from sqlalchemy import ForeignKey, Index, String, delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.actor import Actor
from core.audit.trail import record
from core.clock import now
from core.db.base import CreatedAt, Model
from core.errors import Invalid, Limit, NotFound
from core.i18n import _
from core.members.models import Member

TAG = re.compile(r"[a-z0-9]+([-_][a-z0-9]+)*")
LONGEST = 40
MOST = 50


class MemberTag(Model):
    """A tag that a member bears."""

    __tablename__ = "core_member_tag"
    __table_args__ = (Index("ix_core_member_tag_tag_member_id", "tag", "member_id"),)

    member_id: Mapped[UUID] = mapped_column(ForeignKey("core_member.id", ondelete="CASCADE"), primary_key=True)
    tag: Mapped[str] = mapped_column(String(LONGEST), primary_key=True)
    created_at: Mapped[CreatedAt]


class TagInvalid(Invalid):
    code = "TAG_INVALID"
    sentence = _("A tag has at most 40 small letters, digits, - and _, such as early-bird.")


class TooManyTags(Limit):
    code = "TOO_MANY_TAGS"
    status = 409
    sentence = _("A member can bear at most {most} tags.")


def checked(tag: str) -> str:
    """``tag`` as it is kept. Raises TagInvalid."""
    if not TAG.fullmatch(tag) or len(tag) > LONGEST:
        raise TagInvalid()
    return tag


def add(session: Session, actor: Actor, member_id: UUID, tag: str) -> bool:
    """Give a member a tag; returns whether it is new. Audited. Raises TagInvalid, NotFound, TooManyTags."""
    tag = checked(tag)
    # The lock holds the number of tags, and whoever else gives this member one.
    if session.scalar(select(Member.id).where(Member.id == member_id).with_for_update(key_share=True)) is None:
        raise NotFound()
    new = insert(MemberTag).values(member_id=member_id, tag=tag, created_at=now()).on_conflict_do_nothing()
    if session.scalar(new.returning(MemberTag.tag)) is None:
        return False
    if (session.scalar(select(func.count()).where(MemberTag.member_id == member_id)) or 0) > MOST:
        raise TooManyTags(most=MOST)
    _told(session, actor, "tagged", member_id, [None, tag])
    return True


def remove(session: Session, actor: Actor, member_id: UUID, tag: str) -> bool:
    """Take a tag from a member; returns whether they bore it. Audited. Raises TagInvalid."""
    gone = delete(MemberTag).where(MemberTag.member_id == member_id, MemberTag.tag == checked(tag))
    if session.scalar(gone.returning(MemberTag.tag)) is None:
        return False
    _told(session, actor, "untagged", member_id, [tag, None])
    return True


def of(session: Session, member_ids: Iterable[UUID]) -> dict[UUID, list[str]]:
    """The tags of members, in order; a member without any is left out."""
    found: dict[UUID, list[str]] = {}
    query = select(MemberTag.member_id, MemberTag.tag).where(MemberTag.member_id.in_(list(member_ids)))
    for member_id, tag in session.execute(query.order_by(MemberTag.tag)).tuples():
        found.setdefault(member_id, []).append(tag)
    return found


def _told(session: Session, actor: Actor, act: str, member_id: UUID, change: list[str | None]) -> None:
    action = f"core.member.{act}"
    record(session, actor, action, subject_type="core.member", subject_id=member_id, changes={"tag": change})
