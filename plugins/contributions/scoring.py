"""Give rows their points: the rules of their types, the tiers of their times, what plugins add, and overrides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from guildhall import call

from .errors import ScoringError
from .hookspecs import Draft
from .models import Override
from .people import Person
from .rules import Exemption, Rules, score

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Overrides:
    """The overrides that may hold for some rows, the most particular and newest first."""

    rows: Sequence[Override]

    def of(self, row: Mapping[str, Any]) -> Exemption | None:
        """The one that holds for a row: of its member before its type's, before everybody's; then the newest."""
        for one in self.rows:
            at: datetime = row["occurred_at"]
            if (
                one.starts_at <= at < one.ends_at
                and one.member_id in (None, row["member_id"])
                and one.type in (None, row["type"])
            ):
                return Exemption(label=one.reason, basis_points=one.basis_points, points=one.points)
        return None


def overrides(session: Session, rows: Sequence[Mapping[str, Any]]) -> Overrides:
    """The overrides of the rows' time that are for all or for one of their members."""
    first, last = min(row["occurred_at"] for row in rows), max(row["occurred_at"] for row in rows)
    ids = {row["member_id"] for row in rows}
    query = select(Override).where(
        and_(Override.ends_at > first, Override.starts_at <= last),
        or_(Override.member_id.is_(None), Override.member_id.in_(ids)),
    )
    order = (Override.member_id.is_(None), Override.type.is_(None), Override.created_at.desc(), Override.id.desc())
    return Overrides(session.scalars(query.order_by(*order)).all())


def score_rows(
    session: Session, rows: Sequence[Row], rules: Mapping[str, Rules | None], people: Mapping[UUID, Person]
) -> None:
    """Set ``points``, ``breakdown`` and ``type_version`` of rows with an id, member, type, details, source and time.

    Raises ScoringError when a rule or a plugin's answer cannot be used.
    """
    if not rows:
        return
    further = _further(session, rows, rules)
    holding = overrides(session, rows)
    for row in rows:
        rule = rules[row["type"]]
        assert rule is not None
        result = score(
            rule,
            people[row["member_id"]].tier_at(row["occurred_at"]),
            row["details"],
            source=row["source"],
            occurred_at=row["occurred_at"],
            further=tuple(further.get(row["id"], ())),
            exemption=holding.of(row),
        )
        row["points"], row["breakdown"], row["type_version"] = result.points, result.lines, rule.version


def _further(
    session: Session, rows: Sequence[Row], rules: Mapping[str, Rules | None]
) -> dict[UUID, list[tuple[str, int]]]:
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
            base=rule.base if (rule := rules[row["type"]]) else 0,
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
