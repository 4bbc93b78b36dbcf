"""What accounts have in common: a browser, an address, a wallet. Told by keyed hashes, never by the thing itself.

A browser is known by a random number in a cookie of our own, given at sign-in; nothing of the browser is measured. Each
is kept for the days that the settings say (``signal_days``), and goes with its member.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address, ip_network
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, String, delete, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.clock import now
from core.db.base import CreatedAt, Model
from core.jobs.job import JobContext
from core.platform_settings import PlatformSettings
from core.settings import read

Kind = Literal["device", "address", "wallet"]
KINDS: tuple[Kind, ...] = ("device", "address", "wallet")
SWEEP_JOB = "sweep_signals"
MOST = 50
CHUNK = 1000
_DEVICE = re.compile(r"[A-Za-z0-9_-]{22}")
# For a statement that knows members as ``:ids``: (member_id, kind, others), with how many others each of them shares
# the signal of the kind that most have, counted up to ``:most``; only what was seen after ``:since``.
SHARED = """
    SELECT mine.member_id, mine.kind, max((
        SELECT count(*) FROM (
            SELECT FROM core_member_signal theirs
            WHERE theirs.value = mine.value AND theirs.seen_at > :since AND theirs.member_id <> mine.member_id
            LIMIT :most
        ) counted
    )) AS others FROM core_member_signal mine
    WHERE mine.member_id = ANY(:ids) AND mine.kind = ANY(CAST(:kinds AS text[])) AND mine.seen_at > :since
    GROUP BY mine.member_id, mine.kind
"""
_SHARING = text("""
    SELECT mine.member_id, other.member_id, array_agg(DISTINCT mine.kind), max(other.seen_at)
    FROM core_member_signal mine
    CROSS JOIN LATERAL (
        SELECT theirs.member_id, theirs.seen_at FROM core_member_signal theirs
        WHERE theirs.value = mine.value AND theirs.seen_at > :since AND theirs.member_id <> mine.member_id
        ORDER BY theirs.seen_at DESC LIMIT :most
    ) other
    WHERE mine.member_id = ANY(:ids) AND mine.kind = ANY(CAST(:kinds AS text[])) AND mine.seen_at > :since
    GROUP BY 1, 2 ORDER BY 1, 4 DESC, 2
""")
_PAIRS = text("""
    SELECT one, other FROM unnest(CAST(:ones AS uuid[]), CAST(:others AS uuid[])) AS pair (one, other)
    WHERE EXISTS (
        SELECT FROM core_member_signal mine JOIN core_member_signal theirs ON theirs.value = mine.value
        WHERE mine.member_id = one AND theirs.member_id = other AND mine.kind = ANY(CAST(:kinds AS text[]))
            AND mine.seen_at > :since AND theirs.seen_at > :since
    )
""")


class MemberSignal(Model):
    """That a member was seen with something others may have too. ``value`` is its keyed hash, of kind and thing."""

    __tablename__ = "core_member_signal"
    __table_args__ = (
        CheckConstraint(f"kind IN {KINDS}", name="kind"),
        Index("ix_core_member_signal_value", "value", "seen_at"),
        Index("ix_core_member_signal_seen_at", "seen_at"),
    )

    member_id: Mapped[UUID] = mapped_column(ForeignKey("core_member.id", ondelete="CASCADE"), primary_key=True)
    value: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    kind: Mapped[str] = mapped_column(String(10))
    first_at: Mapped[CreatedAt]
    seen_at: Mapped[CreatedAt]


@dataclass(frozen=True, kw_only=True, slots=True)
class Sharing:
    """Another member who has a browser, an address or a wallet in common: of which ``kinds``, seen there last when."""

    member_id: UUID
    kinds: tuple[str, ...]
    seen_at: datetime


def device_key(given: str | None) -> str:
    """The number by which a browser is known: the one it has, if it is one of ours by its form, else a new one."""
    return given if given and _DEVICE.fullmatch(given) else secrets.token_urlsafe(16)


def note_seen(
    session: Session,
    member_id: UUID,
    *,
    address: str | None = None,
    device: str | None = None,
    wallet: str | None = None,
) -> None:
    """Keep that a member was seen at an IP address, in a browser (its cookie or any outside key), or with a wallet.

    Of IPv6 the network (/64) counts, for that is what one household has. What is no address is passed over. Keeps
    nothing where the settings say so.
    """
    if not read(session, PlatformSettings).signal_days:
        return
    near = network_of(address)
    seen: dict[str, str | None] = {"address": near, "device": device, "wallet": wallet and wallet.lower()}
    at = now()
    rows = [
        {"member_id": member_id, "value": _hash(session, kind, value), "kind": kind, "first_at": at, "seen_at": at}
        for kind, value in seen.items()
        if value
    ]
    if rows:
        statement = insert(MemberSignal).values(sorted(rows, key=lambda row: str(row["value"])))
        later = {"seen_at": func.greatest(MemberSignal.seen_at, statement.excluded.seen_at)}
        session.execute(statement.on_conflict_do_update(index_elements=["member_id", "value"], set_=later))


def sharing(
    session: Session, member_ids: Iterable[UUID], *, kinds: Collection[Kind] = ("device", "wallet"), most: int = MOST
) -> dict[UUID, list[Sharing]]:
    """Who shares a signal with each of these members, the last seen first; members who share none are left out.

    ``most`` bounds the members that are found by one signal, so that an address of thousands stays cheap.
    """
    asked = {**sharing_window(session), "ids": list(member_ids), "kinds": list(kinds), "most": most}
    found: dict[UUID, list[Sharing]] = {}
    for member_id, other, shared, seen_at in session.execute(_SHARING, asked):
        found.setdefault(member_id, []).append(Sharing(member_id=other, kinds=tuple(shared), seen_at=seen_at))
    return found


def pairs_sharing(
    session: Session, pairs: Collection[tuple[UUID, UUID]], *, kinds: Collection[Kind]
) -> set[tuple[UUID, UUID]]:
    """Those of ``pairs`` of members who have a signal of these kinds in common, however many others have it too."""
    if not pairs:
        return set()
    asked: dict[str, Any] = {**sharing_window(session), "kinds": list(kinds)}
    asked |= {"ones": [one for one, _other in pairs], "others": [other for _one, other in pairs]}
    return {(one, other) for one, other in session.execute(_PAIRS, asked)}


def sharing_window(session: Session) -> dict[str, datetime]:
    """The parameter ``since`` of SHARED: what was seen before is as forgotten."""
    return {"since": now() - timedelta(days=read(session, PlatformSettings).signal_days)}


def sweep(context: JobContext) -> dict[str, Any]:
    """The job: forget what is older than the settings say, a thousand at a time."""
    gone = 0
    while True:
        with context.unit_of_work() as session:
            old = select(MemberSignal.member_id, MemberSignal.value).where(
                MemberSignal.seen_at <= sharing_window(session)["since"]
            )
            keys = old.limit(CHUNK).with_for_update(skip_locked=True).subquery()
            same = (MemberSignal.member_id == keys.c.member_id, MemberSignal.value == keys.c.value)
            count = len(session.execute(delete(MemberSignal).where(*same).returning(MemberSignal.kind)).all())
        gone += count
        context.progress(gone)
        if count < CHUNK:
            return {"forgotten": gone}


def network_of(address: str | None) -> str | None:
    """What an IP address counts as: of IPv6 its network (/64), all of which one household has. None for no address."""
    try:
        ip = ip_address(address or "")
    except ValueError:
        return None
    ip = getattr(ip, "ipv4_mapped", None) or ip
    return str(ip) if ip.version == 4 else str(ip_network((int(ip), 64), strict=False))


def _hash(session: Session, kind: str, value: str) -> bytes:
    secret: str = session.info["config"].secret_key
    message = f"guildhall:signal|{kind}|{value}".encode("utf-8", "replace")
    return hmac.new(secret.encode(), message, hashlib.sha256).digest()
