"""A member's profile: what they tell about themselves, and whether it holds all that the settings ask for."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID
from zoneinfo import available_timezones

from sqlalchemy import update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from core import settings
from core.actor import Actor
from core.audit.trail import MASK, record
from core.clock import now
from core.db import locks
from core.errors import DomainError, Invalid, NotFound, Unauthenticated
from core.events.publish import publish
from core.files import service as files
from core.files.models import StoredFile
from core.i18n import _
from core.members import service
from core.members.events import ProfileCompleted
from core.members.models import TIERS, Member, Profile
from core.platform_settings import PlatformSettings

AVATAR = "core.avatar"
LONGEST = {"bio": 2000, "location": 120, "website": 300}
LONGEST_FURTHER = 200
MOST_CHAIN = 2**53 - 1  # what every reader of JSON takes exactly


def of(session: Session, member_id: UUID) -> Profile:
    """A member's profile; an empty one that is not stored for who has none yet."""
    empty = Profile(member_id=member_id, bio="", location="", website="", avatar_id=None, more={}, completed_at=None)
    return session.get(Profile, member_id) or empty


def further(session: Session) -> list[str]:
    """Names of the fields that the settings add."""
    return settings.read(session, PlatformSettings).profile_fields.split()


def missing(session: Session, profile: Profile) -> list[str]:
    """Required fields that are empty."""
    values = {**profile.more, "bio": profile.bio, "location": profile.location, "website": profile.website}
    values["avatar"] = str(profile.avatar_id or "")
    return [name for name in settings.read(session, PlatformSettings).profile_required.split() if not values.get(name)]


def avatar_url(session: Session, profile: Profile) -> str | None:
    """A signed link to the picture, which expires; None where there is none."""
    stored = session.get(StoredFile, profile.avatar_id) if profile.avatar_id else None
    return files.link(session, stored) if stored else None


def change(session: Session, actor: Actor, values: Mapping[str, Any]) -> Profile:
    """Change one's own profile: any of ``display_name``, ``time_zone``, ``preferred_chain``, ``bio``, ``location``,
    ``website``, ``avatar`` (a file of the purpose ``core.avatar``, or None) and the further fields of the settings.

    The first time that nothing required is missing, ProfileCompleted is published. Raises Invalid with every problem
    by field, and Unauthenticated for who is no member. Audited without what was written.
    """
    if actor.member_id is None:
        raise Unauthenticated()
    locks.members(session, [actor.member_id])
    member = session.get_one(Member, actor.member_id, populate_existing=True)
    clean = _checked(session, values)
    session.execute(insert(Profile).values(member_id=member.id).on_conflict_do_nothing())
    profile = session.get_one(Profile, member.id, populate_existing=True)
    if "avatar" in clean:
        _take_picture(session, actor, profile, clean.pop("avatar"))
    extra = {name: clean.pop(name) for name in further(session) if name in clean}
    if extra:
        profile.more = {**profile.more, **extra}
    for name, value in clean.items():
        setattr(member if name in ("display_name", "time_zone", "preferred_chain") else profile, name, value)
    session.flush()
    told = {name: [MASK, MASK] for name in values if name not in ("display_name", "time_zone", "preferred_chain")}
    if told:
        record(session, actor, "core.profile.changed", subject_type="core.member", subject_id=member.id, changes=told)
    _complete(session, actor, profile)
    return profile


def change_for(session: Session, actor: Actor, member: Member, values: Mapping[str, Any]) -> Member:
    """Change another's ``display_name``, ``tier``, ``locale``, ``time_zone`` or ``preferred_chain``; as the resource.

    Only what differs is looked at. A tier is kept with its history. Raises Invalid with every problem by field.
    """
    changed = {name: value for name, value in values.items() if getattr(member, name) != value}
    tier, locale = changed.pop("tier", None), changed.pop("locale", None)
    problems: dict[str, list[str]] = {}
    if tier is not None and tier not in TIERS:
        problems["tier"] = [_("There is no such tier.")]
    if locale and session.info["catalogues"].match(locale) is None:
        problems["locale"] = [_("There is no such language here.")]
    clean = _checked(session, changed, problems)
    if tier is not None:
        service.set_tier(session, member.id, tier)
    if locale is not None:
        member.locale = locale
    for name, value in clean.items():
        setattr(member, name, value)
    return member


def _complete(session: Session, actor: Actor, profile: Profile) -> None:
    if missing(session, profile):
        return
    first = update(Profile).where(Profile.member_id == profile.member_id, Profile.completed_at.is_(None))
    if session.scalar(first.values(completed_at=now()).returning(Profile.member_id)):
        publish(session, actor, ProfileCompleted(member_id=profile.member_id))


def _take_picture(session: Session, actor: Actor, profile: Profile, file_id: UUID | None) -> None:
    before = profile.avatar_id
    if file_id == before:
        return
    if file_id is not None:
        try:
            files.keep(session, actor, file_id, purpose=AVATAR)
        except NotFound:
            raise Invalid({"avatar": [_("Send the picture first, as a file for core.avatar.")]}) from None
    profile.avatar_id = file_id
    session.flush()
    if before is not None:
        files.delete(session, actor, before)


def _checked(
    session: Session, values: Mapping[str, Any], found: Mapping[str, list[str]] | None = None
) -> dict[str, Any]:
    """The values as they are kept. Raises Invalid with every problem, with those ``found`` before."""
    problems = dict(found or {})
    clean: dict[str, Any] = {}
    extra = set(further(session))
    for name, value in values.items():
        check = _line(LONGEST_FURTHER) if name in extra else CHECKS.get(name)
        try:
            if check is None:
                raise Invalid({name: [_("There is no such field.")]})
            clean[name] = check(value)
        except Invalid as problem:
            problems[name] = [text for texts in problem.details.values() for text in texts]
    if problems:
        raise Invalid(problems)
    return clean


def _name(value: Any) -> str:
    return service.check_profile(None, value if isinstance(value, str) else "")[1]


def _line(longest: int) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        text = unicodedata.normalize("NFC", value).strip() if isinstance(value, str) else None
        if text is None or len(text) > longest or not text.isprintable():
            raise Invalid({"": [_("Give one line of at most {most} characters.").format(most=longest)]})
        return text

    return check


def _text(value: Any) -> str:
    text = unicodedata.normalize("NFC", value).replace("\r\n", "\n").strip() if isinstance(value, str) else None
    if text is None or len(text) > LONGEST["bio"] or not text.replace("\n", "").replace("\t", "").isprintable():
        raise Invalid({"": [_("Give at most {most} characters.").format(most=LONGEST["bio"])]})
    return text


def _website(value: Any) -> str:
    text = _line(LONGEST["website"])(value)
    try:
        parts = urlsplit(text)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc
    except ValueError:
        good = False
    if text and (not good or any(mark in text for mark in ' "<>\\')):
        raise Invalid({"": [_("Give an address like https://example.org.")]})
    return text


def _chain(value: Any) -> int:
    if type(value) is not int or not 1 <= value <= MOST_CHAIN:
        raise Invalid({"": [_("Give the number of a blockchain, such as 146.")]})
    return value


def _zone(value: Any) -> str:
    if value not in available_timezones():
        raise Invalid({"": [_("Choose a time zone such as Europe/Paris.")]})
    return str(value)


def _file(value: Any) -> UUID | None:
    if value is not None and not isinstance(value, UUID):
        raise Invalid({"": [_("Send the picture first, as a file for core.avatar.")]})
    return value


CHECKS: dict[str, Callable[[Any], Any]] = {
    "display_name": _name,
    "time_zone": _zone,
    "preferred_chain": _chain,
    "bio": _text,
    "location": _line(LONGEST["location"]),
    "website": _website,
    "avatar": _file,
}


def store_picture(session: Session, actor: Actor, stream: Any, name: str) -> UUID:
    """Take a picture that a form sent; ``change`` then keeps it. Raises Invalid with what is wrong with the file."""
    upload = session.info["registry"].uploads[AVATAR]
    try:
        stored = files.store(
            session,
            actor,
            stream,
            name=name,
            purpose=AVATAR,
            allowed=upload.allowed,
            max_bytes=upload.max_bytes,
        )
    except DomainError as problem:
        if problem.status >= 500:
            raise
        raise Invalid({"avatar": [problem.message]}) from None
    return stored.id
