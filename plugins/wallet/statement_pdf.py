"""A statement for people who keep books: one account, one period, every line with the balance after it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, time
from decimal import Decimal
from typing import Any, BinaryIO
from uuid import UUID

from flask import Response
from flask_babel import format_date, format_datetime, get_locale, gettext
from sqlalchemy.orm import Session

from guildhall import Column, Table, write_pdf

from . import errors, queries
from .units import decimal
from .wording import account_name, kind_words

MOST_LINES = 5_000


def write_statement_pdf(
    session: Session, file: BinaryIO, account: queries.Balance, *, start: datetime, end: datetime
) -> None:
    """Write the statement of ``account`` from ``start`` to just before ``end`` as A4 pages, in the reader's language.

    Times are UTC. Raises StatementTooLong before a line is read when there are more than ``MOST_LINES``.
    """
    lines = queries.entries_between(session, account.id, start=start, end=end)
    if lines > MOST_LINES:
        raise errors.StatementTooLong(lines=lines, most=MOST_LINES)
    found = queries.statement(session, account.id, start=start, end=end)
    write_pdf(_table(account, found), file, locale=str(get_locale() or "en"))


def statement_file(content: bytes, account_id: UUID, kind: str) -> Response:
    """A statement as an attachment; ``kind`` is csv or pdf."""
    answer = Response(content, mimetype="text/csv" if kind == "csv" else "application/pdf")
    answer.headers["Content-Disposition"] = f'attachment; filename="statement-{account_id}.{kind}"'
    answer.headers["Cache-Control"] = "private, no-store"
    return answer


def _table(account: queries.Balance, found: queries.Statement) -> Table:
    def units(amount: int) -> Decimal:
        return Decimal(decimal(amount, account.scale).replace(",", ""))

    def rows() -> Iterator[tuple[Any, ...]]:
        for line in found.lines:
            what = f"{kind_words(line.kind)} – {line.reason}" if line.reason else kind_words(line.kind)
            came = units(line.amount) if line.amount > 0 else None
            went = units(-line.amount) if line.amount < 0 else None
            yield (
                line.at,
                what,
                account_name(line.counterpart, line.counterpart_purpose),
                came,
                went,
                units(line.balance),
            )

    name = account_name(account.name, account.purpose)
    about = [
        gettext("Account: %(name)s, %(asset)s (%(id)s)", name=name, asset=account.asset, id=account.id),
        gettext(
            "Period: from %(start)s until before %(end)s, times in UTC",
            start=_moment(found.start),
            end=_moment(found.end),
        ),
        gettext(
            "Opening balance: %(amount)s %(asset)s", amount=decimal(found.opening, account.scale), asset=account.asset
        ),
        gettext(
            "Closing balance: %(amount)s %(asset)s", amount=decimal(found.closing, account.scale), asset=account.asset
        ),
    ]
    return Table(
        title=gettext("Statement of account"),
        subtitle="\n".join(about),
        columns=[
            Column(label=gettext("Date"), kind="instant"),
            Column(label=gettext("What")),
            Column(label=gettext("With")),
            Column(label=gettext("In"), kind="decimal"),
            Column(label=gettext("Out"), kind="decimal"),
            Column(label=gettext("Balance"), kind="decimal"),
        ],
        rows=rows(),
        total=(
            None,
            gettext("Sum of the period, and closing balance"),
            "",
            units(found.came),
            units(found.went),
            units(found.closing),
        ),
    )


def _moment(at: datetime) -> str:
    """A moment of UTC; midnight is its day alone."""
    at = at.astimezone(UTC)
    return str(
        format_date(at, "long", rebase=False) if at.time() == time() else format_datetime(at, "long", rebase=False)
    )
