"""A period of whole days in somebody's time zone, its shortcuts, its steps and the period before it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from core.errors import Invalid
from core.i18n import _

Step = Literal["day", "week", "month"]
LONGEST = 366 * 10
SHORTCUTS = {
    "7_days": _("Last 7 days"),
    "30_days": _("Last 30 days"),
    "90_days": _("Last 90 days"),
    "12_months": _("Last 12 months"),
    "this_month": _("This month"),
    "last_month": _("Last month"),
    "this_year": _("This year"),
    "last_year": _("Last year"),
}
DEFAULT = "30_days"


class PeriodInvalid(Invalid):
    """The days of a period are missing, turned round, or more than ten years apart."""

    code = "PERIOD_INVALID"
    sentence = _("Give a first and a last day, in this order and at most ten years apart, or one of the shortcuts.")


@dataclass(frozen=True)
class Period:
    """The days from ``first`` to ``last``, both included, as the clocks of ``zone`` have them.

    Charts over time have a point for each ``step``: a day up to 31 days, a week up to half a year, else a month.
    """

    first: date
    last: date
    zone: str = "UTC"

    @property
    def since(self) -> datetime:
        """The first instant of it."""
        return _midnight(self.first, self.zone)

    @property
    def until(self) -> datetime:
        """The first instant after it."""
        return _midnight(self.last + timedelta(days=1), self.zone)

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1

    @property
    def step(self) -> Step:
        return "day" if self.days <= 31 else "week" if self.days <= 183 else "month"

    @property
    def steps(self) -> list[date]:
        """The first day of each step; of the first step it may lie before the period. Weeks begin on Monday."""
        found = []
        at = self.step_of(self.first)
        while at <= self.last:
            found.append(at)
            at = _next(at, self.step)
        return found

    def step_of(self, day: date) -> date:
        """The first day of the step that a day is in."""
        if self.step == "week":
            return day - timedelta(days=day.weekday())
        return day.replace(day=1) if self.step == "month" else day

    @property
    def before(self) -> Period:
        """The period before: as many months for whole months, else as many days."""
        if self.first.day == 1 and (self.last + timedelta(days=1)).day == 1:
            months = (self.last.year - self.first.year) * 12 + self.last.month - self.first.month + 1
            return Period(_months(self.first, -months), self.first - timedelta(days=1), self.zone)
        return Period(self.first - timedelta(days=self.days), self.first - timedelta(days=1), self.zone)

    @property
    def values(self) -> dict[str, Any]:
        """Parameters of a statement: ``:since <= at < :until``, and ``date_trunc(:step, at AT TIME ZONE :zone)``."""
        return {"since": self.since, "until": self.until, "step": self.step, "zone": self.zone}

    def filled(self, rows: Iterable[Sequence[Any]], width: int) -> list[tuple[Any, ...]]:
        """Rows that begin with the day of their step, with zeros in ``width`` further cells for steps without one."""
        found = {row[0]: tuple(row) for row in rows}
        return [found.get(day, (day, *(0 for _cell in range(width)))) for day in self.steps]


def shortcut(name: str, today: date, zone: str = "UTC") -> Period:
    """One of ``SHORTCUTS`` as of ``today``, which is its last day or in it. Raises PeriodInvalid."""
    month, year = today.replace(day=1), today.replace(month=1, day=1)
    days = {"7_days": 7, "30_days": 30, "90_days": 90}
    if name in days:
        return Period(today - timedelta(days=days[name] - 1), today, zone)
    bounds = {
        "12_months": (_months(month, -11), today),
        "this_month": (month, today),
        "last_month": (_months(month, -1), month - timedelta(days=1)),
        "this_year": (year, today),
        "last_year": (_months(year, -12), year - timedelta(days=1)),
    }
    if name not in bounds:
        raise PeriodInvalid()
    return Period(*bounds[name], zone)


def chosen(name: str, first: str, last: str, today: date, zone: str = "UTC") -> Period:
    """The period that somebody asked for: two days (ISO 8601) when they are given, else a shortcut, else the last 30
    days. Raises PeriodInvalid."""
    if not first and not last:
        return shortcut(name or DEFAULT, today, zone)
    try:
        made = Period(date.fromisoformat(first), date.fromisoformat(last), zone)
    except ValueError:
        raise PeriodInvalid() from None
    if not 1 <= made.days <= LONGEST or not made.first.year >= 1900 or made.last.year > 9000:
        raise PeriodInvalid()
    return made


def zone_named(name: str | None) -> str:
    """``name`` if it is a time zone that is known here, else UTC."""
    try:
        ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return "UTC"
    return name or "UTC"


def _midnight(day: date, zone: str) -> datetime:
    return datetime.combine(day, time(), ZoneInfo(zone)).astimezone(UTC)


def _months(day: date, count: int) -> date:
    """The first of the month so many months from the month of ``day``."""
    months = day.year * 12 + day.month - 1 + count
    return date(months // 12, months % 12 + 1, 1)


def _next(day: date, step: Step) -> date:
    return _months(day, 1) if step == "month" else day + timedelta(days=7 if step == "week" else 1)
