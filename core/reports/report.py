"""What a report is, as a plugin declares it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from core.export.table import Column
from core.reports.period import Period

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

ChartKind = Literal["line", "bar", "hbar", "area", "doughnut"]


@dataclass(frozen=True, kw_only=True)
class ReportColumn(Column):
    """A column of a report; ``label`` is marked text.

    ``total``: its sum stands under the table, and is the figure that is compared with the period before. ``link`` is
    the address of the list that explains a cell: a format string over the cells of its row by the columns' names, and
    ``since`` and ``until`` (RFC 3339) of the row's step or, where it has none, of the period. ``hidden`` cells are
    there for links alone. ``good`` says which way is better: ``up``, ``down``. The cells of a ``marked`` column are
    marked text themselves, such as the names of states.
    """

    name: str
    total: bool = False
    link: str = ""
    hidden: bool = False
    marked: bool = False
    good: Literal["up", "down"] = "up"


@dataclass(frozen=True, kw_only=True)
class Chart:
    """How rows are drawn: ``x`` names the column of the labels, ``series`` those of the numbers."""

    kind: ChartKind
    x: str
    series: Sequence[str]
    stacked: bool = False


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """Something to choose beside the period. ``choices(session)`` gives pairs of value and label; the first is chosen
    until somebody chooses."""

    name: str
    label: str
    choices: Callable[[Session], Sequence[tuple[str, str]]]


@dataclass(frozen=True, kw_only=True)
class Report:
    """A table of figures over a period.

    ``load(session, period, parameters)`` returns rows with a cell per column, at most a few hundred: aggregate in SQL.
    It reads only, on the read replica where one is configured, under the statement time-out of the settings; what it
    writes is refused by the database. Not called while the plugin is disabled, nor for who lacks ``permission``, which
    is asked again each time a scheduled copy is sent. With ``chart`` it can be pinned to the dashboard. ``over_time``
    says that the first column is the day a step begins (``Period.filled``); then a comparison is drawn beside it.
    """

    name: str
    label: str
    permission: str
    columns: Sequence[ReportColumn]
    load: Callable[[Session, Period, Mapping[str, str]], Sequence[Sequence[Any]]]
    chart: Chart | None = None
    parameters: Sequence[Parameter] = ()
    help: str = ""
    over_time: bool = False
    order: int = 100

    def index(self, column: str) -> int:
        """The place of a column. Raises KeyError."""
        return {one.name: place for place, one in enumerate(self.columns)}[column]
