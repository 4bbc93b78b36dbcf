"""What looks like abuse: signals that hold a contribution back until a person has looked at it.

Imports and signed webhooks are not asked how they come: history comes in bursts, and their senders are known. Whose
they are is asked of webhooks too (``sharing``).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from guildhall import _, members

from . import sharing
from .settings import ContributionSettings

TRUSTED = ("import", "webhook")
PARTICIPATION = "challenge.participation"
SHORTEST_TEXT = 60
COMPARED = 500
NEAREST = 20
LABELS = {
    "rapid": _("Too many within a minute"),
    "near_duplicate": _("Almost the same text as an earlier one"),
    "near_duplicate_shared": _("Nearly the text of somebody who shares a browser, an address or a wallet"),
    "no_activity": _("Joins challenges and does nothing else"),
    "shared_device": _("One browser, many members"),
    "shared_wallet": _("One wallet, many members"),
    "shared_address": _("One address, many members"),
}
_WORD = re.compile(r"\w+")

Signals = dict[UUID, list[dict[str, Any]]]

_RAPID = text("""
    SELECT c.id, (
        SELECT count(*) FROM (
            SELECT 1 FROM contributions_contribution near
            WHERE near.member_id = c.member_id AND near.occurred_at > c.occurred_at - interval '1 minute'
                AND near.occurred_at <= c.occurred_at AND near.source <> ALL(CAST(:trusted AS text[]))
            LIMIT :most
        ) near
    ) FROM contributions_contribution c WHERE c.id = ANY(:ids)
""")
_ALIKE = text("""
    SELECT new.id, new.member_id, like_it.id, like_it.member_id, like_it.distance FROM contributions_contribution new
    CROSS JOIN LATERAL (
        SELECT old.id, old.member_id, bit_count((old.fingerprint # new.fingerprint)::bit(64)) AS distance FROM (
            SELECT id, member_id, fingerprint FROM contributions_contribution
            WHERE type = new.type AND fingerprint IS NOT NULL AND id < new.id ORDER BY occurred_at DESC LIMIT :compared
        ) old
        ORDER BY 3 LIMIT :nearest
    ) like_it
    WHERE new.id = ANY(:ids) AND like_it.distance <= :distance ORDER BY new.id, like_it.distance
""")
_IDLE = text("""
    SELECT member_id FROM contributions_type_progress WHERE member_id = ANY(:ids) GROUP BY member_id
    HAVING sum(count) = sum(count) FILTER (WHERE type = :participation) AND sum(count) >= :most
""")


def fingerprint(details: Mapping[str, Any]) -> int | None:
    """64 bits of the words of a text that barely differ when the text barely does (simhash); None for little text.

    Charikar, "Similarity estimation techniques from rounding algorithms" (STOC 2002), over runs of three words.
    """
    if not any(isinstance(value, str) for value in details.values()):
        return None
    words = _WORD.findall(" ".join(value for value in details.values() if isinstance(value, str)).lower())
    if sum(map(len, words)) < SHORTEST_TEXT:
        return None
    weights = [0] * 64
    for start in range(max(1, len(words) - 2)):
        digest = hashlib.blake2b(" ".join(words[start : start + 3]).encode(), digest_size=8).digest()
        bits = int.from_bytes(digest)
        for position in range(64):
            weights[position] += 1 if bits >> position & 1 else -1
    value = sum(1 << position for position, weight in enumerate(weights) if weight > 0)
    return value - (1 << 64) if value >> 63 else value


def signals(
    session: Session, rows: Sequence[Mapping[str, Any]], settings: ContributionSettings, *, bulk: bool = False
) -> Signals:
    """What speaks against (stored) contributions, by id: ``{"signal", "found", "limit"}``, perhaps ``like``.

    A ``bulk`` call is a burst by its nature, so it is not asked how rapid it is.
    """
    found: Signals = {}

    def flag(contribution_id: UUID, signal: str, number: int, limit: int, **more: Any) -> None:
        found.setdefault(contribution_id, []).append({"signal": signal, "found": number, "limit": limit, **more})

    asked = [row for row in rows if row["source"] not in TRUSTED]
    if asked and settings.rapid_per_minute and not bulk:
        ids = {"ids": [row["id"] for row in asked], "trusted": list(TRUSTED), "most": settings.rapid_per_minute + 1}
        for contribution_id, number in session.execute(_RAPID, ids):
            if number > settings.rapid_per_minute:
                flag(contribution_id, "rapid", number, settings.rapid_per_minute)
    texts = [row["id"] for row in asked if row["fingerprint"] is not None]
    if texts and settings.near_duplicates:
        for contribution_id, alike in _alike(session, texts, settings).items():
            found.setdefault(contribution_id, []).append(alike)
    joining = [row for row in asked if row["type"] == PARTICIPATION]
    if joining and settings.idle_participations:
        asks = {
            "ids": list({row["member_id"] for row in joining}),
            "participation": PARTICIPATION,
            "most": settings.idle_participations,
        }
        idle = set(session.scalars(_IDLE, asks))
        for row in joining:
            if row["member_id"] in idle:
                flag(row["id"], "no_activity", settings.idle_participations, settings.idle_participations)
    shared = sharing.signals(session, rows, settings)
    for row in rows:
        if row["member_id"] in shared and sharing.concerns([row], row["source"], settings):
            found.setdefault(row["id"], []).extend(shared[row["member_id"]])
    return found


def _alike(session: Session, texts: list[UUID], settings: ContributionSettings) -> dict[UUID, dict[str, Any]]:
    """What the texts of contributions are almost the same as: of those who share something, from further away."""
    near, wide = settings.near_duplicate_bits, settings.shared_text_bits
    asked = {"ids": texts, "compared": COMPARED, "nearest": NEAREST, "distance": max(near, wide)}
    found = session.execute(_ALIKE, asked).tuples().all()
    far = {(mine, theirs) for _new, mine, _old, theirs, distance in found if distance > near and mine != theirs}
    together = members.pairs_sharing(session, far, kinds=members.KINDS)
    told: dict[UUID, dict[str, Any]] = {}
    for new, mine, old, theirs, distance in found:
        if distance <= near:
            told.setdefault(new, {"signal": "near_duplicate", "found": distance, "limit": near, "like": str(old)})
        elif (mine, theirs) in together:
            signal = {"signal": "near_duplicate_shared", "found": distance, "limit": wide, "like": str(old)}
            told.setdefault(new, {**signal, "members": [str(theirs)]})
    return told
