"""A report as people see it: the chart of its numbers and the table that every file is written from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any, BinaryIO, TypedDict

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_skeleton

from core.export.csv import csv_lines
from core.export.pdf import write_pdf
from core.export.table import Column, Table
from core.export.xlsx import write_xlsx
from core.i18n import SOURCE, _
from core.reports.period import Period
from core.reports.run import Result

Say = Callable[[str], str]
MEDIA = {
    "csv": "text/csv",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "pdf": "application/pdf",
}
MOST_LABELS = 40
BEFORE = _("The period before")


class Spec(TypedDict):
    """What ``ui.chart`` draws."""

    type: str
    labels: list[str]
    series: list[dict[str, Any]]
    stacked: bool


def spec(result: Result, say: Say, locale: str | None) -> Spec | None:
    """The chart of a report, or None where it has none. Beside the first series stands the period before, if it was
    asked for. Of very many labels the first forty are drawn."""
    chart, report = result.report.chart, result.report
    if chart is None:
        return None
    place = report.index(chart.x)
    rows = list(result.rows) if report.over_time else list(result.rows)[:MOST_LABELS]
    series: list[dict[str, Any]] = []
    for name in chart.series:
        at = report.index(name)
        series.append({"name": say(report.columns[at].label), "data": [_number(row[at]) for row in rows]})
    if result.before is not None and chart.kind != "doughnut" and not chart.stacked and series:
        at = report.index(chart.series[0])
        if report.over_time:
            earlier = [_number(row[at]) for row in result.before.rows][: len(rows)]
        else:
            known = {row[place]: _number(row[at]) for row in result.before.rows}
            earlier = [known.get(row[place], 0) for row in rows]
        series.insert(1, {"name": say(BEFORE), "data": earlier, **({"kind": "line"} if report.over_time else {})})
    marked = report.columns[place].marked
    labels = [_label(row[place], result.period, locale, say if marked else None) for row in rows]
    return {"type": chart.kind, "labels": labels, "series": series, "stacked": chart.stacked}


def table(result: Result, say: Say, locale: str | None) -> Table:
    """The numbers of a report under translated headings, with its totals and the period as the subtitle."""
    report = result.report
    shown = [(place, column) for place, column in enumerate(report.columns) if not column.hidden]
    total: tuple[Any, ...] = ()
    if result.totals:
        total = tuple(result.totals.get(column.name) for _place, column in shown)
        if total[0] is None and shown[0][1].kind == "text":
            total = (say(_("Total")), *total[1:])
    return Table(
        title=say(report.label),
        columns=[Column(label=say(column.label), kind=column.kind) for _place, column in shown],
        rows=[
            tuple(say(row[place]) if column.marked and row[place] else row[place] for place, column in shown)
            for row in result.rows
        ],
        subtitle=subtitle(result, say, locale),
        total=total,
    )


def subtitle(result: Result, say: Say, locale: str | None) -> str:
    """The days of the period and the parameters that were chosen."""
    parts = [period_text(result.period, locale), *(value for value in result.parameters.values() if value)]
    return " · ".join(parts)


def period_text(period: Period, locale: str | None) -> str:
    """The days of a period in a language, with its time zone."""
    known = _locale(locale)
    days = f"{format_date(period.first, 'medium', known)} – {format_date(period.last, 'medium', known)}"
    return f"{days} ({period.zone})"


def write(result: Result, format: str, file: BinaryIO, say: Say, locale: str | None) -> None:
    """Write a report as ``csv``, ``xlsx`` or ``pdf`` to a binary file. Raises TooLongForPdf."""
    made = table(result, say, locale)
    if format == "xlsx":
        write_xlsx(made, file)
    elif format == "pdf":
        write_pdf(made, file, locale=locale)
    else:
        for line in csv_lines(made):
            file.write(line.encode())


def file_name(result: Result, format: str) -> str:
    """Such as ``contributions-by_type-2026-01-01-2026-01-31.csv``."""
    return f"{result.key.replace('.', '-')}-{result.period.first}-{result.period.last}.{format}"


def wire(result: Result) -> dict[str, Any]:
    """A report for clients: names, never translated; whole numbers as numbers, decimals as strings."""

    def cell(value: Any) -> Any:
        if isinstance(value, Decimal):
            return f"{value:f}"
        return value.isoformat() if isinstance(value, date) else value

    columns = [
        {"name": column.name, "label": column.label, "kind": column.kind}
        for column in result.report.columns
        if not column.hidden
    ]
    shown = [place for place, column in enumerate(result.report.columns) if not column.hidden]
    told: Mapping[str, Any] = {
        "name": result.key,
        "period": {"first": result.period.first, "last": result.period.last, "zone": result.period.zone},
        "parameters": dict(result.parameters),
        "columns": columns,
        "rows": [[cell(row[place]) for place in shown] for row in result.rows],
        "totals": {name: cell(value) for name, value in result.totals.items()},
        "before": {name: cell(value) for name, value in result.before.totals.items()} if result.before else None,
        "made_at": result.made_at,
    }
    return dict(told)


def _number(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) else value


def _label(value: Any, period: Period, locale: str | None, say: Say | None) -> str:
    if isinstance(value, date):
        known = _locale(locale)
        skeleton = "yMMM" if period.step == "month" else "MMMd"
        return str(format_skeleton(skeleton, value, locale=known))
    text = "—" if value is None else str(value)
    return say(text) if say else text


def _locale(name: str | None) -> Locale:
    try:
        return Locale.parse((name or SOURCE).replace("-", "_"))
    except (UnknownLocaleError, ValueError):
        return Locale.parse(SOURCE)
