"""Uploaded pictures of badges: squared, in three sizes, public under their digest."""

from __future__ import annotations

from typing import IO
from uuid import UUID

from sqlalchemy import delete, exists, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from guildhall import Actor, DomainError, Invalid, NotFound, Upload, _, files, locks, now

from .models import PICTURE_SIDES, Badge, Picture
from .service import find

PURPOSE = "badges.icon"
MADE = "badges.picture"
UPLOAD = Upload(
    name="icon",
    label=_("Picture of a badge"),
    allowed=frozenset({"image/png", "image/jpeg", "image/webp"}),
    max_bytes=4_000_000,
    permission="badges:badge:update",
)


def send_picture(
    session: Session, actor: Actor, *, slug: str, stream: IO[bytes], name: str, contain: bool = False
) -> Badge:
    """Give a badge the picture that a form sent. Raises as ``set_picture``, and Invalid with what is wrong with it."""
    actor.require("badges:badge:update")
    try:
        stored = files.store(
            session, actor, stream, name=name, purpose=PURPOSE, allowed=UPLOAD.allowed, max_bytes=UPLOAD.max_bytes
        )
    except DomainError as problem:
        if problem.status >= 500:
            raise
        raise Invalid({"picture": [problem.message]}) from None
    return set_picture(session, actor, slug=slug, file_id=stored.id, contain=contain)


def set_picture(session: Session, actor: Actor, *, slug: str, file_id: UUID, contain: bool = False) -> Badge:
    """Give a badge an uploaded picture, a file of the actor's own that was sent for ``badges.icon``.

    Its middle is cut out as a square, or with ``contain`` all of it is shown. Raises BadgeNotFound, Invalid.
    """
    actor.require("badges:badge:update")
    badge = _locked(session, slug)
    try:
        source = files.find(session, actor, file_id)
        if source.purpose != PURPOSE or source.owner_id != actor.member_id:
            raise NotFound()
    except NotFound:
        raise Invalid({"file_id": [_("Send the picture first, as a file for badges.icon.")]}) from None
    small, medium, large = files.store_squares(
        session, source, purpose=MADE, sides=tuple(PICTURE_SIDES.values()), contain=contain
    )
    files.delete(session, actor, source.id)
    row = {"digest": large.sha256, "small_id": small.id, "medium_id": medium.id, "large_id": large.id}
    statement = insert(Picture).values(**row, created_at=now()).on_conflict_do_nothing(index_elements=["digest"])
    if session.scalar(statement.returning(Picture.digest)) is None:  # the same picture is there
        files.delete_made(session, [small.id, medium.id, large.id])
    return _replace(session, actor, badge, large.sha256)


def remove_picture(session: Session, actor: Actor, *, slug: str) -> Badge:
    """Go back to the picture that is made from what the badge is. Raises BadgeNotFound."""
    actor.require("badges:badge:update")
    return _replace(session, actor, _locked(session, slug), None)


def open_picture(session: Session, digest: str, size: str) -> bytes:
    """The WebP file behind an address. Raises NotFound, StorageSilent."""
    picture = session.get(Picture, digest) if size in PICTURE_SIDES and "\x00" not in digest else None
    if picture is None:
        raise NotFound()
    with files.open_made(session, getattr(picture, f"{size}_id")).content as content:
        return content.read()


def _locked(session: Session, slug: str) -> Badge:
    """The badge, while nobody else writes badges or takes pictures away."""
    locks.advisory(session, "badges.edit")
    return find(session, slug)


def _replace(session: Session, actor: Actor, badge: Badge, digest: str | None) -> Badge:
    before = badge.picture
    changed: Badge = (
        session.info["registry"].resources["badges.badge"].update(session, actor, badge, {"picture": digest})
    )
    if before is not None and before != digest:
        unused = ~exists(select(Badge.id).where(Badge.picture == before))
        statement = delete(Picture).where(Picture.digest == before, unused)
        gone = session.execute(statement.returning(Picture.small_id, Picture.medium_id, Picture.large_id)).first()
        if gone is not None:
            files.delete_made(session, list(gone))
    return changed
