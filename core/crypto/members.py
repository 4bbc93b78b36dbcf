"""A key for each member, under which the audit trail seals what it says about them; erasure destroys it.

A sealed value reads ``sealed:<member>:<base64 of nonce, ciphertext and tag>`` (AES-256-GCM) and is bound to its place,
so that it is plain text to digests and exports, and opens nowhere else.
"""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Collection, Mapping
from typing import Any
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import event, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.clock import now
from core.crypto.keyring import of_session
from core.crypto.sealed import Sealed, bound
from core.crypto.wrapping import NONCE
from core.db.base import CreatedAt, Instant, Model

ERASED = "erased"
KEPT = "member_keys"
TOKEN = re.compile(r"sealed:([0-9a-f-]{36}):([A-Za-z0-9+/]+=*)")


class MemberKey(Model):
    """The key of one member, itself sealed. ``destroyed_at`` says that they were erased: there will be none again."""

    __tablename__ = "core_member_key"

    member_id: Mapped[UUID] = mapped_column(primary_key=True)
    key: Mapped[str | None] = mapped_column(Sealed("core.member_key"))
    created_at: Mapped[CreatedAt]
    destroyed_at: Mapped[Instant | None]


def key_for(session: Session, member_id: UUID) -> bytes | None:
    """The member's key, made at first use in this transaction, and read once until a part of the transaction ends.

    None once it was destroyed, and where the installation has no encryption keys at all. Raises KeyMissing, KeyWrong.
    """
    if not of_session(session).keys.ids:
        return None
    kept: dict[UUID, bytes | None] = session.info.setdefault(KEPT, {})
    if member_id not in kept:
        kept[member_id] = _key_for(session, member_id)
    return kept[member_id]


@event.listens_for(Session, "after_transaction_end")
def _forget_kept(session: Session, _transaction: Any) -> None:
    """A key that was made in what is rolled back is no key."""
    session.info.pop(KEPT, None)


def _key_for(session: Session, member_id: UUID) -> bytes | None:
    connection = session.connection()
    query = select(MemberKey.key, MemberKey.destroyed_at).where(MemberKey.member_id == member_id)
    found = connection.execute(query).first()
    if found is None:
        fresh = bound(base64.b64encode(os.urandom(32)).decode(), member_id)
        row = {"member_id": member_id, "key": fresh, "created_at": now()}
        connection.execute(insert(MemberKey).values(row).on_conflict_do_nothing())
        found = connection.execute(query).one()
    return base64.b64decode(found.key) if found.key else None


def keys_of(session: Session, members: Collection[UUID]) -> dict[UUID, bytes]:
    """The keys there are of these members."""
    query = select(MemberKey.member_id, MemberKey.key)
    query = query.where(MemberKey.member_id.in_(members), MemberKey.key.is_not(None))
    return {member_id: base64.b64decode(key or "") for member_id, key in session.connection().execute(query)}


def seal(key: bytes, member_id: UUID, value: Any, place: str) -> str:
    """``value``, which is plain JSON, sealed for one ``place``."""
    nonce = os.urandom(NONCE)
    sealed = nonce + AESGCM(key).encrypt(nonce, json.dumps(value).encode(), _about(member_id, place))
    return f"sealed:{member_id}:{base64.b64encode(sealed).decode()}"


def owner(value: Any) -> UUID | None:
    """The member under whose key ``value`` was sealed; None for what is not sealed."""
    found = TOKEN.fullmatch(value) if isinstance(value, str) else None
    return UUID(found[1]) if found else None


def opened(keys: Mapping[UUID, bytes], value: Any, place: str) -> Any:
    """What ``seal`` was given; ERASED where the key is gone, ``value`` itself where it is not sealed for this place."""
    member_id = owner(value)
    if member_id is None:
        return value
    if member_id not in keys:
        return ERASED
    sealed = base64.b64decode(value.rpartition(":")[2])
    try:
        return json.loads(AESGCM(keys[member_id]).decrypt(sealed[:NONCE], sealed[NONCE:], _about(member_id, place)))
    except (InvalidTag, ValueError):
        return value


def destroy(session: Session, member_id: UUID) -> None:
    """Forget the member's key for good: nothing that was sealed under it opens again, in any copy of it."""
    gone = {"key": None, "destroyed_at": now()}
    row = {"member_id": member_id, "created_at": now(), **gone}
    session.execute(insert(MemberKey).values(row).on_conflict_do_update(index_elements=["member_id"], set_=gone))
    session.info.pop(KEPT, None)


def _about(member_id: UUID, place: str) -> bytes:
    return f"guildhall member value\0{member_id}\0{place}".encode()
