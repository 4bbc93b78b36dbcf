"""What a type's row means, checked: bonuses, tiers, limits; and the score that follows from them.

The formula is ``final = max(0, base + bonus + tier)``, then the cap, all in whole points. A tier's addend is
``floor(base * (multiplier - 1))`` with the multiplier in basis points, so it does not multiply bonuses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from guildhall import Invalid, _

from .errors import ScoringError
from .models import ContributionType

WHOLE = 10000
Window = Literal["hour", "day", "week", "month", "ever"]
EVER = datetime(1970, 1, 1, tzinfo=UTC)


class _Rule(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Bonus(_Rule):
    """Extra points: a fixed number, or basis points of the base. Given when every number in ``min_details`` is met."""

    label: str = Field(min_length=1, max_length=80)
    points: int | None = Field(None, ge=0, le=10**9)
    basis_points: int | None = Field(None, ge=0, le=10**6)
    min_details: dict[str, int] = Field(default_factory=dict, max_length=10)

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if (self.points is None) == (self.basis_points is None):
            raise ValueError("give either points or basis_points")
        return self

    def applies(self, details: Mapping[str, Any]) -> bool:
        return all(_at_least(details.get(name), least) for name, least in self.min_details.items())

    def worth(self, base: int) -> int:
        return self.points if self.points is not None else base * (self.basis_points or 0) // WHOLE


class Limit(_Rule):
    """At most ``count`` contributions of the type in each calendar window (UTC) for a member."""

    per: Window
    count: int = Field(ge=0, le=10**9)


_BONUSES = TypeAdapter(list[Bonus])
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


@dataclass(frozen=True, slots=True)
class Score:
    """The points and the lines that sum to them."""

    points: int
    lines: list[dict[str, Any]]


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
        )
    except ValidationError as problem:
        raise ScoringError(type=row.code, problem=problem.errors()[0]["msg"]) from None


def check(values: Mapping[str, Any]) -> None:
    """Refuse a type's values that could not be scored with. Raises Invalid by field."""
    problems: dict[str, list[str]] = {}
    for name, adapter in (("bonus", _BONUSES), ("tiers", _TIERS), ("limits", _LIMITS)):
        if name not in values:
            continue
        try:
            adapter.validate_python(values[name])
        except ValidationError as problem:
            problems[name] = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}".lstrip(": ") for e in problem.errors()]
    windows = [one.get("per") for one in values.get("limits") or [] if isinstance(one, dict)]
    if "limits" not in problems and len(windows) != len(set(windows)):
        problems["limits"] = [_("Give each window once.")]
    for name in ("base_points", "cap"):
        if (values.get(name) or 0) < 0:
            problems[name] = [_("Points cannot be negative.")]
    if problems:
        raise Invalid(problems)


def score(rules: Rules, tier: str, details: Mapping[str, Any]) -> Score:
    """What a contribution is worth; a pure function of the rules, the tier of its time, and its details."""
    lines = [_line("Base", rules.base)]
    lines += [_line(f"Bonus: {one.label}", one.worth(rules.base)) for one in rules.bonus if one.applies(details)]
    multiplier = rules.tiers.get(tier, WHOLE)
    if multiplier != WHOLE:
        lines.append(_line(f"Tier {tier}", rules.base * (multiplier - WHOLE) // WHOLE))
    total = sum(line["points"] for line in lines)
    if total < 0:
        lines.append(_line("Never below 0", -total))
    elif rules.cap is not None and total > rules.cap:
        lines.append(_line(f"Cap of {rules.cap}", rules.cap - total))
    return Score(sum(line["points"] for line in lines), lines)


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


def _line(label: str, points: int) -> dict[str, Any]:
    return {"label": label, "points": points}


def _at_least(value: Any, least: int) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= least
