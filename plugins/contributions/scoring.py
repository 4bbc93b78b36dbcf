"""Give rows their points: the rules of their types, the tiers of their times, what plugins add, and overrides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from guildhall import call

from .errors import ScoringError
from .hookspecs import Draft
from .rules import Rules, Score, score
from .scoring_context import Overrides, Person

Row = dict[str, Any]


def score_rows(
    session: Session,
    rows: Sequence[Row],
    rules: Mapping[str, Rules],
    people: Mapping[UUID, Person],
    overrides: Overrides,
) -> None:
    """Set ``points``, ``breakdown`` and ``type_version`` of rows with an id, member, type, details, source and time.

    Raises ScoringError when a rule or a plugin's answer cannot be used.
    """
    if not rows:
        return
    further = _further(session, rows, rules)
    same: dict[tuple[str, str], Score] = {}
    for row in rows:
        rule = rules[row["type"]]
        tier = people[row["member_id"]].tier_at(row["occurred_at"])
        addends = further.get(row["id"])
        exemption = overrides.of(row) if overrides.rows else None
        # Without conditions, addends and overrides, a type and a tier have one score.
        plain = not (rule.bonus or rule.adjustments or addends or exemption)
        result = same.get((rule.code, tier)) if plain else None
        if result is None:
            result = score(
                rule,
                tier,
                row["details"],
                source=row["source"],
                occurred_at=row["occurred_at"],
                further=tuple(addends or ()),
                exemption=exemption,
            )
            if plain:
                same[rule.code, tier] = result
        row["points"], row["breakdown"], row["type_version"] = result.points, result.lines, rule.version


def _further(session: Session, rows: Sequence[Row], rules: Mapping[str, Rules]) -> dict[UUID, list[tuple[str, int]]]:
    """What plugins add, by row."""
    if not session.info["registry"].hooks.hook.score_adjustments.get_hookimpls():
        return {}
    drafts = [
        Draft(
            id=row["id"],
            member_id=row["member_id"],
            type=row["type"],
            details=row["details"],
            source=row["source"],
            occurred_at=row["occurred_at"],
            challenge_id=row["challenge_id"],
            submission_id=row["submission_id"],
            base=rules[row["type"]].base,
        )
        for row in rows
    ]
    added: dict[UUID, list[tuple[str, int]]] = {}
    for plugin, answer in call(session, "score_adjustments", drafts=drafts):
        for contribution_id, addends in answer.items():
            for label, points in addends:
                if type(points) is not int or not isinstance(label, str):
                    raise ScoringError(type=plugin, problem="an adjustment is a label and a whole number")
                added.setdefault(contribution_id, []).append((label[:80], points))
    return added
