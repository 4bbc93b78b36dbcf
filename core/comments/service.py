"""Write comments, change and delete them. Who may see a record and its comments decides about all of it."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import IO, Any
from urllib.parse import quote
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, selectinload

from core import lifecycle
from core.access import holders_of
from core.actor import Actor
from core.audit.trail import record as audit
from core.clock import now
from core.comments.errors import AboutYourself, CommentGone, CommentTooOld, NotYourComment
from core.comments.events import CommentMade
from core.comments.models import Comment, CommentFile, CommentMention
from core.db.base import member_column
from core.errors import Invalid, NotFound
from core.events.publish import publish
from core.files import service as files
from core.files.models import StoredFile
from core.files.upload import DOCUMENTS, IMAGES
from core.i18n import _
from core.members.models import Member
from core.resources.resource import BoundResource

LIST, CREATE, DELETE = "core:comment:list", "core:comment:create", "core:comment:delete"
PURPOSE = "core.comment"
SUBJECT = "core.comment"
LONGEST = 10_000
MOST_FILES = 5
MOST_MENTIONS = 20
EDITABLE = timedelta(minutes=15)
MENTION = re.compile(r"@\[([0-9a-f-]{36})\]")


@dataclass(frozen=True)
class Subject:
    """A record that can be commented on, as this actor may see it. ``url`` is where its comments are shown."""

    bound: BoundResource
    key: str
    member_id: UUID | None
    url: str


@dataclass(frozen=True)
class Attachment:
    """A file that is sent with a comment."""

    name: str
    stream: IO[bytes]


def subject(session: Session, actor: Actor, bound: BoundResource, key: Any) -> Subject:
    """The record as a subject of comments. Raises NotFound, PermissionMissing, AboutYourself.

    Comments are of the staff: who owns a record, or is the member, does not see them by that.
    """
    actor.require(LIST)
    actor.require(bound.permission("show"))
    record = bound.get(session, actor, key)
    about = about_whom(bound, record)
    if about is not None and about == actor.member_id:
        raise AboutYourself()
    name = str(bound.key_of(record))
    return Subject(bound, name, about, f"{bound.page_path}/comments/{quote(name, safe='')}")


def subject_of(session: Session, actor: Actor, comment_id: UUID) -> Subject:
    """The record that a comment is on, as ``subject`` gives it; NotFound also while its plugin is off or gone."""
    kind, key = session.execute(
        select(Comment.subject_type, Comment.subject_id).where(Comment.id == comment_id)
    ).one_or_none() or ("", "")
    return subject(session, actor, resource(session, kind), key)


def resource(session: Session, name: str) -> BoundResource:
    """The resource called ``<plugin>.<name>``. Raises NotFound, also while its plugin is off."""
    bound: BoundResource | None = session.info["registry"].resources.get(name)
    if bound is None or bound.plugin in lifecycle.disabled(session):
        raise NotFound()
    return bound


def about_whom(bound: BoundResource, record: Any) -> UUID | None:
    """The member a record is about."""
    column = member_column(bound.resource.model.__table__)
    if column is None:
        return None
    keys = {one.name: key for key, one in bound.resource.columns_of_model.items()}
    found: UUID | None = getattr(record, keys[column.name])
    return found


def may_see(actor: Actor, bound: BoundResource, about: UUID | None) -> bool:
    """Whether the comments on a record that the actor sees are for them."""
    return actor.can(LIST) and actor.can(bound.permission("show")) and (about is None or about != actor.member_id)


def count(session: Session, bound: BoundResource, key: Any) -> int:
    """How many comments a record has, those that were deleted not counted."""
    on = Comment.subject_type == bound.key, Comment.subject_id == str(key), Comment.deleted_at.is_(None)
    return session.scalar(select(func.count()).select_from(Comment).where(*on)) or 0


def query(on: Subject) -> Any:
    """The comments on a record, with their files."""
    mine = Comment.subject_type == on.bound.key, Comment.subject_id == on.key
    return select(Comment).where(*mine).options(selectinload(Comment.files))


def add(
    session: Session,
    actor: Actor,
    on: Subject,
    *,
    text: str,
    mentions: Collection[UUID] = (),
    attachments: Sequence[Attachment] = (),
) -> Comment:
    """Comment on a record. ``mentions`` are members whose ``@Name`` in the text means them; each is told once.

    Audited without the text. Raises PermissionMissing, Invalid (an empty or endless text, too many files), and what
    the files service refuses.
    """
    actor.require(CREATE)
    actor.require_own()
    named = _staff(session, on, mentions)
    comment = Comment(
        subject_type=on.bound.key,
        subject_id=on.key,
        member_id=on.member_id,
        author_id=actor.member_id,
        text=_checked(_with_marks(text, named)),
    )
    session.add(comment)
    session.flush()
    if len(attachments) > MOST_FILES:
        raise Invalid({"files": [_("Send at most five files with a comment.")]})
    for one in attachments:
        file = files.store(session, actor, one.stream, name=one.name, purpose=PURPOSE, allowed=IMAGES | DOCUMENTS)
        files.keep(session, actor, file.id, purpose=PURPOSE)
        session.add(CommentFile(comment_id=comment.id, file_id=file.id))
    session.flush()
    _mention(session, actor, on, comment, first=True)
    _audited(session, actor, on, comment, "made")
    return comment


def edit(
    session: Session, actor: Actor, on: Subject, comment_id: UUID, *, text: str, mentions: Collection[UUID] = ()
) -> Comment:
    """Change one's own comment, for fifteen minutes. Who is named for the first time is told.

    Raises NotFound, NotYourComment, CommentGone, CommentTooOld, Invalid, PermissionMissing.
    """
    actor.require(CREATE)
    actor.require_own()
    comment = _own(session, on, comment_id)
    if comment.author_id is None or comment.author_id != actor.member_id:
        raise NotYourComment()
    if now() - comment.created_at > EDITABLE:
        raise CommentTooOld(minutes=int(EDITABLE.total_seconds() // 60))
    known = [UUID(one) for one in MENTION.findall(comment.text)]
    changed = _checked(_with_marks(text, _staff(session, on, [*mentions, *known])))
    if changed == comment.text:
        return comment
    comment.text, comment.edited_at = changed, now()
    session.flush()
    _mention(session, actor, on, comment, first=False)
    _audited(session, actor, on, comment, "edited")
    return comment


def remove(session: Session, actor: Actor, on: Subject, comment_id: UUID) -> None:
    """Delete one's own comment, or anybody's with ``core:comment:delete``: text and files go, that it was stays.

    Audited. Raises NotFound, CommentGone, PermissionMissing.
    """
    actor.require_own()
    comment = _own(session, on, comment_id)
    if comment.author_id is None or comment.author_id != actor.member_id:
        actor.require(DELETE)
    for file in session.scalars(_files_of(comment.id)):
        file.state, file.deleted_at = "deleted", now()
    session.execute(delete(CommentMention).where(CommentMention.comment_id == comment.id))
    comment.text, comment.deleted_at, comment.deleted_by = "", now(), actor.member_id
    session.flush()
    _audited(session, actor, on, comment, "deleted")


def file_link(session: Session, on: Subject, comment_id: UUID, file_id: UUID) -> str:
    """The path of a short-lived link to a file of a comment. Raises NotFound."""
    mine = select(StoredFile).join(CommentFile, CommentFile.file_id == StoredFile.id).join(Comment)
    mine = mine.where(StoredFile.id == file_id, Comment.id == comment_id, Comment.subject_id == on.key)
    file = session.scalar(mine.where(Comment.subject_type == on.bound.key, StoredFile.state == "kept"))
    if file is None:
        raise NotFound()
    return files.link(session, file)


def staff_query(on: Subject, beginning: str = "") -> Any:
    """The members who can be mentioned there: active, who may see the record and its comments, and not whom it is
    about; by the beginning of a word of their name."""
    found = select(Member.id, Member.display_name).where(
        Member.status == "active",
        Member.user_id.in_(holders_of(LIST)),
        Member.user_id.in_(holders_of(on.bound.permission("show"))),
    )
    if on.member_id is not None:
        found = found.where(Member.id != on.member_id)
    if beginning:
        term = beginning.lower().replace("\0", "")
        name = func.lower(Member.display_name)
        found = found.where(name.startswith(term, autoescape=True) | name.contains(f" {term}", autoescape=True))
    return found.order_by(func.lower(Member.display_name), Member.id)


def names(session: Session, comments: Sequence[Comment]) -> dict[UUID, str]:
    """The names of everybody whom these comments are by, name or were deleted by, by member id."""
    ids = {UUID(one) for comment in comments for one in MENTION.findall(comment.text)}
    ids |= {one for comment in comments for one in (comment.author_id, comment.deleted_by) if one}
    if not ids:
        return {}
    return dict(session.execute(select(Member.id, Member.display_name).where(Member.id.in_(ids))).tuples().all())


def files_about(member_id: UUID) -> Any:
    """A query of the ids of the files of comments on a member, or on what is theirs."""
    held = select(CommentFile.file_id).join(Comment, Comment.id == CommentFile.comment_id)
    return held.where(Comment.member_id == member_id)


def _audited(session: Session, actor: Actor, on: Subject, comment: Comment, verb: str) -> None:
    """Write down that it was, on what and by whom, never the text."""
    about = {"record": [None, f"{on.bound.key} {on.key}"], "author_id": [None, comment.author_id]}
    audit(session, actor, f"{SUBJECT}.{verb}", subject_type=SUBJECT, subject_id=comment.id, changes=about)


def _own(session: Session, on: Subject, comment_id: UUID) -> Comment:
    comment = session.get(Comment, comment_id, with_for_update=True, populate_existing=True)
    if comment is None or (comment.subject_type, comment.subject_id) != (on.bound.key, on.key):
        raise NotFound()
    if comment.deleted_at is not None:
        raise CommentGone()
    return comment


def _staff(session: Session, on: Subject, mentions: Collection[UUID]) -> dict[UUID, str]:
    wanted = sorted(set(mentions))[:MOST_MENTIONS]
    if not wanted:
        return {}
    return dict(session.execute(staff_query(on).where(Member.id.in_(wanted))).tuples().all())


def _with_marks(text: str, named: dict[UUID, str]) -> str:
    """``@Name`` of the named as ``@[id]``, longest names first, so that it stays theirs whatever they are called."""
    text = text.replace("\r\n", "\n").strip()
    for key, name in sorted(named.items(), key=lambda one: -len(one[1])):
        text = text.replace(f"@{name}", f"@[{key}]")
    return text


def _checked(text: str) -> str:
    if not text:
        raise Invalid({"text": [_("Write something first.")]})
    if len(text) > LONGEST or "\x00" in text:
        raise Invalid({"text": [_("A comment has at most 10,000 characters.")]})
    return text


def _mention(session: Session, actor: Actor, on: Subject, comment: Comment, *, first: bool) -> None:
    """Write down whom the text names, and publish."""
    named = _staff(session, on, [UUID(one) for one in MENTION.findall(comment.text)])
    rows = [{"comment_id": comment.id, "member_id": key} for key in sorted(named)]
    fresh: list[UUID] = []
    if rows:
        statement = insert(CommentMention).values(rows).on_conflict_do_nothing().returning(CommentMention.member_id)
        fresh = sorted(session.scalars(statement))
    if not (first or fresh):
        return
    told = tuple(key for key in fresh if key != actor.member_id)
    event = CommentMade(
        comment_id=comment.id,
        subject_type=on.bound.key,
        subject_id=on.key,
        member_id=on.member_id,
        mentions=told,
        url=f"{on.url}#comment-{comment.id}",
    )
    publish(session, actor, event)


def _files_of(comment_id: UUID) -> Any:
    return (
        select(StoredFile)
        .join(CommentFile, CommentFile.file_id == StoredFile.id)
        .where(CommentFile.comment_id == comment_id)
    )
