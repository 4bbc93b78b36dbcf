"""What a type's row means, checked: bonuses, tiers, adjustments, limits; and the score that follows from them.

The formula is ``final = max(0, base + bonus + tier + adjustments)``, then an override, then the cap, all in whole
points. A tier's addend is ``floor(base * (multiplier - 1))`` with the multiplier in basis points, so it does not
multiply bonuses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator, model_validator

from guildhall import Invalid, _

from . import expressions, schemas
from .errors import ScoringError
from .models import ContributionType

WHOLE = 10000
MOST_STEPS = 10**6
Window = Literal["hour", "day", "week", "month", "ever"]
EVER = datetime(1970, 1, 1, tzinfo=UTC)
RULE_FIELDS = (
    "label",
    "base_points",
    "bonus",
    "tiers",
    "limits",
    "cooldown_seconds",
    "cap",
    "details_schema",
    "adjustments",
    "adjustment_cap",
    "counts_for_streak",
    "enabled",
)


class _Rule(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class _Conditional(_Rule):
    """A rule with a condition in CEL (``when``, see ``expressions``); without one it always applies."""

    label: str = Field(min_length=1, max_length=80)
    when: str | None = Field(None, min_length=1, max_length=expressions.LONGEST)

    @field_validator("when")
    @classmethod
    def _can_be_asked(cls, when: str | None) -> str | None:
        if when is not None:
            expressions.compiled(when)
        return when

    def holds(self, event: Mapping[str, Any]) -> bool:
        return self.when is None or expressions.holds(self.when, event)


class Bonus(_Conditional):
    """Extra points: a fixed number, or basis points of the base. Given when every number in ``min_details`` is met."""

    points: int | None = Field(None, ge=0, le=10**9)
    basis_points: int | None = Field(None, ge=0, le=10**6)
    min_details: dict[str, int] = Field(default_factory=dict, max_length=10)

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if (self.points is None) == (self.basis_points is None):
            raise ValueError("give either points or basis_points")
        return self

    def applies(self, event: Mapping[str, Any]) -> bool:
        details = event["details"]
        enough = all(_at_least(details.get(name), least) for name, least in self.min_details.items())
        return enough and self.holds(event)

    def worth(self, base: int) -> int:
        return self.points if self.points is not None else base * (self.basis_points or 0) // WHOLE


class Adjustment(_Conditional):
    """Points that follow from the details, perhaps negative: ``points``, or for each whole ``each`` of a number.

    ``{"label": "Lines", "field": "lines", "each": 100, "points": 2}`` gives 2 for every full hundred lines.
    """

    points: int = Field(ge=-(10**9), le=10**9)
    field: str | None = Field(None, min_length=1, max_length=80)
    each: int = Field(1, ge=1, le=10**9)

    def worth(self, details: Mapping[str, Any]) -> int:
        if self.field is None:
            return self.points
        number = details.get(self.field)
        if not _at_least(number, self.each):
            return 0
        return self.points * int(min(number // self.each, MOST_STEPS))  # type: ignore[operator]


class Limit(_Rule):
    """At most ``count`` contributions of the type in each calendar window (UTC) for a member."""

    per: Window
    count: int = Field(ge=0, le=10**9)


_BONUSES = TypeAdapter(list[Bonus])
_ADJUSTMENTS = TypeAdapter(list[Adjustment])
_LIMITS = TypeAdapter(list[Limit])
_TIERS: TypeAdapter[dict[str, int]] = TypeAdapter(
    dict[str, Annotated[int, Field(strict=True, ge=WHOLE, le=100 * WHOLE)]]
)


@dataclass(frozen=True, slots=True)
class Rules:
    """One version of a type, ready to score with."""

    code: str
    version: int
    base: int
    bonus: tuple[Bonus, ...]
    tiers: Mapping[str, int]
    limits: tuple[Limit, ...]
    cap: int | None
    counts_for_streak: bool
    cooldown: timedelta = timedelta(0)
    adjustments: tuple[Adjustment, ...] = ()
    adjustment_cap: int | None = None
    details_schema: Mapping[str, Any] | None = None

    @property
    def limited(self) -> bool:
        """Whether anything can make a further contribution of the type one too many."""
        return bool(self.limits or self.cooldown)


@dataclass(frozen=True, slots=True)
class Exemption:
    """An override that holds for one event: ``basis_points`` of the score, or ``points`` instead of it."""

    label: str
    basis_points: int | None = None
    points: int | None = None

    def addend(self, total: int) -> int:
        if self.points is not None:
            return self.points - total
        return total * (self.basis_points or 0) // WHOLE - total


@dataclass(frozen=True, slots=True)
class Score:
    """The points and the lines that sum to them."""

    points: int
    lines: list[dict[str, Any]] = field(default_factory=list)


def rules_of(row: ContributionType) -> Rules:
    """The rules of a type's row. Raises ScoringError when they cannot be used."""
    try:
        return Rules(
            code=row.code,
            version=row.version,
            base=row.base_points,
            bonus=tuple(_BONUSES.validate_python(row.bonus)),
            tiers=_TIERS.validate_python(row.tiers),
            limits=tuple(_LIMITS.validate_python(row.limits)),
            cap=row.cap,
            counts_for_streak=row.counts_for_streak,
            cooldown=timedelta(seconds=row.cooldown_seconds or 0),
            adjustments=tuple(_ADJUSTMENTS.validate_python(row.adjustments or [])),
            adjustment_cap=row.adjustment_cap,
            details_schema=row.details_schema,
        )
    except ValidationError as problem:
        raise ScoringError(type=row.code, problem=problem.errors()[0]["msg"]) from None


def check(values: Mapping[str, Any]) -> None:
    """Refuse a type's values that could not be scored with. Raises Invalid by field."""
    problems: dict[str, list[str]] = {}
    adapters = (("bonus", _BONUSES), ("tiers", _TIERS), ("limits", _LIMITS), ("adjustments", _ADJUSTMENTS))
    for name, adapter in adapters:
        if name not in values:
            continue
        try:
            adapter.validate_python(values[name])
        except ValidationError as problem:
            problems[name] = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}".lstrip(": ") for e in problem.errors()]
    if "limits" not in problems:
        windows = [one["per"] for one in values.get("limits") or []]
        if len(windows) != len(set(windows)):
            problems["limits"] = [_("Give each window once.")]
    for name in ("base_points", "cap", "adjustment_cap"):
        if (values.get(name) or 0) < 0:
            problems[name] = [_("Points cannot be negative.")]
    if not 0 <= (values.get("cooldown_seconds") or 0) <= 366 * 86400:
        problems["cooldown_seconds"] = [_("Give 0 to 31,622,400 seconds (a year).")]
    if values.get("details_schema") is not None:
        try:
            schemas.check(values["details_schema"])
        except schemas.BadSchema as bad:
            problems["details_schema"] = [str(bad)]
    if problems:
        raise Invalid(problems)


def score(
    rules: Rules,
    tier: str,
    details: Mapping[str, Any],
    *,
    source: str = "system",
    occurred_at: datetime = EVER,
    further: tuple[tuple[str, int], ...] = (),
    exemption: Exemption | None = None,
) -> Score:
    """What a contribution is worth; a pure function of the rules, the tier of its time, and what is given.

    ``further`` are addends (label, points) of plugins. Raises ScoringError when a condition takes too long.
    """
    event = {"details": details, "kind": rules.code, "source": source, "tier": tier, "occurred_at": occurred_at}
    lines = [_line("Base", rules.base)]
    try:
        lines += [_line(f"Bonus: {one.label}", one.worth(rules.base)) for one in rules.bonus if one.applies(event)]
        adjusted = [_line(one.label, one.worth(details)) for one in rules.adjustments if one.holds(event)]
    except expressions.BadExpression as problem:
        raise ScoringError(type=rules.code, problem=str(problem)) from None
    multiplier = rules.tiers.get(tier, WHOLE)
    if multiplier != WHOLE:
        lines.append(_line(f"Tier {tier}", rules.base * (multiplier - WHOLE) // WHOLE))
    adjusted = [line for line in adjusted if line["points"]]
    if rules.adjustment_cap is not None and _sum(adjusted) > rules.adjustment_cap:
        over = rules.adjustment_cap - _sum(adjusted)
        adjusted.append(_line(f"Adjustments capped at {rules.adjustment_cap}", over))
    lines += adjusted
    lines += [_line(label, points) for label, points in further]
    if _sum(lines) < 0:
        lines.append(_line("Never below 0", -_sum(lines)))
    if exemption is not None:
        lines.append(_line(f"Override: {exemption.label}", exemption.addend(_sum(lines))))
    if rules.cap is not None and _sum(lines) > rules.cap:
        lines.append(_line(f"Cap of {rules.cap}", rules.cap - _sum(lines)))
    return Score(_sum(lines), lines)


def window_start(per: str, at: datetime) -> datetime:
    """The start of the calendar window (UTC) that ``at`` falls into; windows are half-open."""
    day = at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    match per:
        case "hour":
            return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        case "day":
            return day
        case "week":
            return day - timedelta(days=day.weekday())
        case "month":
            return day.replace(day=1)
    return EVER


def _sum(lines: list[dict[str, Any]]) -> int:
    return sum(line["points"] for line in lines)


def _line(label: str, points: int) -> dict[str, Any]:
    return {"label": label, "points": points}


def _at_least(value: Any, least: int) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= least
