"""How often a type may count for a member: slots that a conditional upsert claims, so that no race gets past."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from .rules import Limit, window_start

_CLAIM = text("""
    WITH windows AS (
        SELECT * FROM unnest(CAST(:kinds AS text[]), CAST(:starts AS timestamptz[]), CAST(:most AS bigint[]))
            AS w (kind, starts, most)
    )
    INSERT INTO contributions_limit_slot AS slot (member_id, type, window_kind, window_start, used)
    SELECT :member_id, :type, kind, starts, 1 FROM windows WHERE most > 0
    ON CONFLICT (member_id, type, window_kind, window_start) DO UPDATE SET used = slot.used + 1
    WHERE slot.used < (SELECT most FROM windows WHERE kind = excluded.window_kind)
    RETURNING window_kind
""")
_GIVE_BACK = text("""
    UPDATE contributions_limit_slot SET used = used - 1
    FROM unnest(CAST(:kinds AS text[]), CAST(:starts AS timestamptz[])) AS w (kind, starts)
    WHERE member_id = :member_id AND type = :type AND window_kind = kind AND window_start = starts
""")


def claim(
    session: Session, limits: Sequence[Limit], *, member_id: UUID, type: str, occurred_at: datetime
) -> Limit | None:
    """Use one place of every window, or none; returns the limit that is reached, if one is.

    The caller holds the member's lock. Windows are those of ``occurred_at``.
    """
    if not limits:
        return None
    starts = {limit.per: window_start(limit.per, occurred_at) for limit in limits}
    place = {"member_id": member_id, "type": type}
    windows = {
        "kinds": list(starts),
        "starts": list(starts.values()),
        "most": [limit.count for limit in limits],
    }
    claimed = set(session.scalars(_CLAIM, {**place, **windows}))
    reached = next((limit for limit in limits if limit.per not in claimed), None)
    if reached and claimed:
        kept = {"kinds": list(claimed), "starts": [starts[kind] for kind in claimed]}
        session.execute(_GIVE_BACK, {**place, **kept})
    return reached
