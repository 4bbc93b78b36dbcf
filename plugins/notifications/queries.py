"""What can be told about notices."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from guildhall import Member
from guildhall.web import Page, paginate

from . import kinds
from .kinds import Kind
from .models import Notification


@dataclass(frozen=True)
class Notice:
    """A notice as a person sees it. ``say`` puts ``subject`` and ``body`` into a language; English without it."""

    row: Notification
    kind: Kind
    say: Callable[[str], str] = str

    @property
    def id(self) -> UUID:
        return self.row.id

    @property
    def url(self) -> str:
        return self.row.url

    @property
    def created_at(self) -> datetime:
        return self.row.created_at

    @property
    def read_at(self) -> datetime | None:
        return self.row.read_at

    @property
    def subject(self) -> str:
        return self.fill(self.say(self.kind.subject))

    @property
    def body(self) -> str:
        return self.fill(self.say(self.kind.body))

    def fill(self, text: str) -> str:
        return kinds.fill(text, self.row.params)


def shown(session: Session, rows: Iterable[Notification], say: Callable[[str], str] = str) -> list[Notice]:
    """Rows with the texts of their kinds, in the language that ``say`` speaks."""
    known = kinds.known(session)
    return [Notice(row, known.get(row.kind, kinds.UNKNOWN), say) for row in rows]


def inbox_page(
    session: Session,
    member_id: UUID,
    *,
    limit: int,
    cursor: str = "",
    unread: bool = False,
    say: Callable[[str], str] = str,
) -> Page:
    """A page of a member's notices, newest first. Raises Invalid for a cursor that is not from here."""
    query = select(Notification).where(Notification.member_id == member_id)
    if unread:
        query = query.where(Notification.read_at.is_(None))
    page = paginate(session, query, [(Notification.id, True)], limit=limit, cursor=cursor)
    return Page(shown(session, page.items, say), page.next_cursor)


def unread_count(session: Session, member_id: UUID) -> int:
    """How many notices a member has not read."""
    return session.scalar(unread(member_id)) or 0


def unread(member_id: UUID) -> Select[int]:
    """The query of how many notices a member has not read."""
    mine = (Notification.member_id == member_id, Notification.read_at.is_(None))
    return select(func.count()).select_from(Notification).where(*mine)


def names(session: Session, member_ids: Iterable[UUID]) -> dict[UUID, str]:
    """What members are called, by id."""
    found = select(Member.id, Member.display_name).where(Member.id.in_(set(member_ids)))
    return dict(session.execute(found).tuples().all())


def of_contribution(session: Session, contribution_id: UUID, say: Callable[[str], str] = str) -> list[Notice]:
    """Notices that a contribution led to, oldest first."""
    about = Notification.params["contribution_id"].astext == str(contribution_id)
    rows = select(Notification).where(Notification.params.has_key("contribution_id"), about).order_by(Notification.id)
    return shown(session, session.scalars(rows), say)
