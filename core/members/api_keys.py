"""API keys: how a service acts for the member who made the key, and for no more than its scopes.

A key may do what both its scopes name and its owner may do now: a role taken from the owner is taken from the key.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, text, update
from sqlalchemy.orm import Session

from core import access, generation
from core.actor import Actor
from core.audit.trail import record
from core.clock import now
from core.errors import Invalid, NotFound, Unauthenticated
from core.i18n import _
from core.ids import new_id
from core.members.models import ApiKey, Member
from core.members.sessions import token_hash
from core.members.tokens import TokenInvalid

MARK = "gh_"
SCOPE = re.compile(r"[a-z0-9_*]+:[a-z0-9_*]+:[a-z0-9_*]+|[a-z0-9_]+:(read|write)")
MOST_SCOPES = 100
_WHO = text(
    "SELECT k.id, k.name, k.scopes, k.last_used_at, m.id AS member_id, m.display_name, m.user_id, m.locale, "
    f"{access.ROLE_NAMES} AS roles, {access.GENERATION} AS generation "
    "FROM core_api_key k JOIN core_member m ON m.id = k.member_id WHERE k.secret_hash = :hash "
    "AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > :at) AND m.status = 'active'"
)
# Who writes it first is enough: nobody waits for a lock to say the same.
_USED = text(
    "UPDATE core_api_key SET last_used_at = :at WHERE id = (SELECT id FROM core_api_key WHERE id = :id "
    "AND (last_used_at IS NULL OR last_used_at < CAST(:at AS timestamptz) - interval '1 minute') "
    "FOR NO KEY UPDATE SKIP LOCKED)"
)


def create(
    session: Session, actor: Actor, *, name: str, scopes: Iterable[str], expires_at: datetime | None = None
) -> tuple[ApiKey, str]:
    """Make a key of the actor; returns its row and the key itself, which is shown nowhere else. Audited.

    ``scopes`` are permissions (``wallet:account:list``), with ``*`` for any part, or bundles (``wallet:read``); each
    must mean something the actor may do. Raises Invalid, WhileImpersonating, and Unauthenticated for who holds no
    session.
    """
    actor.require_own()
    if actor.member_id is None or actor.session_id is None:
        raise Unauthenticated()
    name, wanted, problems = name.strip(), sorted({scope.strip() for scope in scopes} - {""}), {}
    if not 1 <= len(name) <= 120 or not name.isprintable():
        problems["name"] = [_("Give a name of 1 to 120 characters.")]
    useless = [scope for scope in wanted if not SCOPE.fullmatch(scope) or not access.within(actor.permissions, [scope])]
    if not 1 <= len(wanted) <= MOST_SCOPES:
        problems["scopes"] = [_("Give 1 to 100 scopes.")]
    elif useless:
        said = _("You hold no permission that this names: {scopes}").format(scopes=", ".join(useless)[:300])
        problems["scopes"] = [said]
    if expires_at is not None and expires_at <= now():
        problems["expires_at"] = [_("Choose a moment in the future.")]
    if problems:
        raise Invalid(problems)
    prefix = MARK + secrets.token_hex(4)
    key = f"{prefix}_{secrets.token_urlsafe(32)}"
    row = ApiKey(
        id=new_id(),
        member_id=actor.member_id,
        name=name,
        prefix=prefix,
        secret_hash=token_hash(key),
        scopes=wanted,
        expires_at=expires_at,
    )
    session.add(row)
    session.flush()
    changes = {"name": [None, name], "scopes": [None, wanted]}
    record(session, actor, "core.api_key.created", subject_type="core.api_key", subject_id=row.id, changes=changes)
    return row, key


def actor_of(session: Session, key: str, **about: Any) -> Actor:
    """Who acts by this key. Raises TokenInvalid when it is revoked, has expired or never was."""
    found = session.execute(_WHO, {"hash": token_hash(key), "at": now()}).mappings().first()
    if found is None:
        raise TokenInvalid()
    generation.saw(session, found["generation"] or 0)
    last, at = found["last_used_at"], now()
    if last is None or (at - last).total_seconds() > 60:
        session.execute(_USED, {"id": found["id"], "at": at})
    return Actor(
        kind="service",
        name=f"{found['display_name']} ({found['name']})",
        member_id=found["member_id"],
        permissions=access.within(access.granted_by(session, found["roles"]), found["scopes"]),
        locale=found["locale"],
        is_admin="Admin" in found["roles"],
        **about,
    )


def listed(session: Session) -> list[tuple[ApiKey, str]]:
    """Every key that is not revoked, with its owner's name, the newest first."""
    query = select(ApiKey, Member.display_name).join(Member, Member.id == ApiKey.member_id)
    return list(
        session.execute(query.where(ApiKey.revoked_at.is_(None)).order_by(ApiKey.id.desc()).limit(500)).tuples()
    )


def revoke(session: Session, actor: Actor, key_id: UUID) -> None:
    """End a key at once. Audited. Raises NotFound, WhileImpersonating."""
    actor.require_own()
    statement = update(ApiKey).where(ApiKey.id == key_id, ApiKey.revoked_at.is_(None)).values(revoked_at=now())
    if session.scalar(statement.returning(ApiKey.id)) is None:
        raise NotFound()
    record(session, actor, "core.api_key.revoked", subject_type="core.api_key", subject_id=key_id)
