"""What looks like abuse: signals that hold a contribution back until a person has looked at it.

Imports and signed webhooks are not asked: history comes in bursts, and their senders are known.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from .settings import ContributionSettings

TRUSTED = ("import", "webhook")
PARTICIPATION = "challenge.participation"
SHORTEST_TEXT = 60
COMPARED = 500
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
    SELECT new.id, like_it.id, like_it.distance FROM contributions_contribution new
    CROSS JOIN LATERAL (
        SELECT old.id, bit_count((old.fingerprint # new.fingerprint)::bit(64)) AS distance FROM (
            SELECT id, fingerprint FROM contributions_contribution
            WHERE type = new.type AND fingerprint IS NOT NULL AND id < new.id ORDER BY occurred_at DESC LIMIT :compared
        ) old
        ORDER BY 2 LIMIT 1
    ) like_it
    WHERE new.id = ANY(:ids) AND like_it.distance <= :distance
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
        compared = {"ids": texts, "compared": COMPARED, "distance": settings.near_duplicate_bits}
        for contribution_id, other, distance in session.execute(_ALIKE, compared):
            flag(contribution_id, "near_duplicate", distance, settings.near_duplicate_bits, like=str(other))
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
    return found
