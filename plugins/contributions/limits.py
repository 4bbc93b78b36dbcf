"""How often a type may count for a member: places in calendar windows, and a cool-down between two.

The caller holds the members' locks, which every writer takes first: what is read here stays true until it is written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from .errors import CoolDown, FrequencyLimit
from .rules import Rules, window_start

Row = Mapping[str, Any]
Slot = tuple[UUID, str, str, datetime]

_USED = text("""
    SELECT slot.member_id, slot.type, window_kind, window_start, used FROM contributions_limit_slot slot
    JOIN unnest(CAST(:members AS uuid[]), CAST(:types AS text[]), CAST(:kinds AS text[]),
            CAST(:starts AS timestamptz[]))
        AS w (member_id, type, kind, starts)
    ON slot.member_id = w.member_id AND slot.type = w.type AND window_kind = kind AND window_start = starts
""")
# Takes places: the parameters are those of ``columns``; ``where`` may say when not.
USE = """
    INSERT INTO contributions_limit_slot AS slot (member_id, type, window_kind, window_start, used)
    SELECT * FROM unnest(CAST(:members AS uuid[]), CAST(:types AS text[]), CAST(:kinds AS text[]),
        CAST(:starts AS timestamptz[]), CAST(:used AS int[])) AS places {where}
    ON CONFLICT (member_id, type, window_kind, window_start) DO UPDATE SET used = slot.used + excluded.used
"""
_USE = text(USE.format(where=""))
_NEIGHBOURS = text("""
    SELECT near.member_id, near.type, near.occurred_at
    FROM unnest(CAST(:members AS uuid[]), CAST(:types AS text[]), CAST(:at AS timestamptz[]), CAST(:seconds AS int[]))
        AS new (member_id, type, at, seconds)
    JOIN contributions_contribution near ON near.member_id = new.member_id AND near.type = new.type
        AND near.occurred_at > at - seconds * interval '1 second'
        AND near.occurred_at < at + seconds * interval '1 second'
    WHERE near.state IN ('counted', 'pending') AND NOT near.id = ANY(CAST(:ids AS uuid[]))
""")


def claim(session: Session, rows: Sequence[Row], rules: Mapping[str, Rules]) -> dict[UUID, FrequencyLimit]:
    """Use one place of every window for each row, in their order, or none of them; returns what is refused, by id.

    ``rows`` are stored already. Windows are those of ``occurred_at``, so one that comes late takes a place of its
    own time. A cool-down looks both ways, for the same reason.
    """
    refused, taken = decide(session, rows, rules)
    if taken:
        session.execute(_USE, columns(taken))
    return refused


def decide(
    session: Session, rows: Sequence[Row], rules: Mapping[str, Rules]
) -> tuple[dict[UUID, FrequencyLimit], dict[Slot, int]]:
    """What ``claim`` would refuse, and the places it would use; nothing is written."""
    limited = [row for row in rows if rules[row["type"]].limited]
    if not limited:
        return {}, {}
    used = _used(session, {slot for row in limited for slot in _slots(row, rules[row["type"]])})
    return weigh(limited, rules, used, _neighbours(session, limited, rules))


def weigh(
    rows: Sequence[Row],
    rules: Mapping[str, Rules],
    used: Mapping[Slot, int],
    near: dict[tuple[UUID, str], list[datetime]],
) -> tuple[dict[UUID, FrequencyLimit], dict[Slot, int]]:
    """What is refused of ``rows`` when so many places are ``used`` and these contributions are ``near`` in time."""
    taken: dict[Slot, int] = {}
    refused: dict[UUID, FrequencyLimit] = {}
    for row in rows:
        rule, slots = rules[row["type"]], _slots(row, rules[row["type"]])
        full = (slot for slot, most in slots.items() if used.get(slot, 0) + taken.get(slot, 0) >= most)
        if slot := next(full, None):
            refused[row["id"]] = FrequencyLimit(count=slots[slot], per=slot[2])
            continue
        times = near.setdefault((row["member_id"], row["type"]), [])
        if any(abs(row["occurred_at"] - other) < rule.cooldown for other in times):
            refused[row["id"]] = CoolDown(seconds=int(rule.cooldown.total_seconds()), per="cooldown")
            continue
        times.append(row["occurred_at"])
        for slot in slots:
            taken[slot] = taken.get(slot, 0) + 1
    return refused, taken


def _slots(row: Row, rules: Rules) -> dict[Slot, int]:
    return {
        (row["member_id"], row["type"], limit.per, window_start(limit.per, row["occurred_at"])): limit.count
        for limit in rules.limits
    }


def _used(session: Session, slots: set[Slot]) -> dict[Slot, int]:
    if not slots:
        return {}
    found = session.execute(_USED, _columns(slots))
    return {(member_id, code, kind, start): used for member_id, code, kind, start, used in found}


def columns(taken: Mapping[Slot, int]) -> dict[str, list[Any]]:
    """The parameters of ``USE`` for places that are taken."""
    return {**_columns(taken), "used": list(taken.values())}


def _columns(slots: Any) -> dict[str, list[Any]]:
    ordered = list(slots)
    return {name: [slot[n] for slot in ordered] for n, name in enumerate(("members", "types", "kinds", "starts"))}


def _neighbours(
    session: Session, rows: Sequence[Row], rules: Mapping[str, Rules]
) -> dict[tuple[UUID, str], list[datetime]]:
    """When else, near the new ones, the members did the same."""
    cooling = [row for row in rows if rules[row["type"]].cooldown]
    found: dict[tuple[UUID, str], list[datetime]] = {}
    if cooling:
        asked = {
            "ids": [row["id"] for row in cooling],
            "members": [row["member_id"] for row in cooling],
            "types": [row["type"] for row in cooling],
            "at": [row["occurred_at"] for row in cooling],
            "seconds": [int(rules[row["type"]].cooldown.total_seconds()) for row in cooling],
        }
        for member_id, code, at in session.execute(_NEIGHBOURS, asked):
            found.setdefault((member_id, code), []).append(at)
    return found
