"""Find rows of the trail, and hand them out as a file."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Select, or_, select
from sqlalchemy.orm import Session

from core.actor import Actor
from core.audit.models import AuditRow
from core.audit.reading import named
from core.audit.trail import record
from core.clock import rfc3339
from core.errors import Invalid
from core.export.csv import csv_line
from core.i18n import _

CHUNK = 1000
COLUMNS = (
    *("id", "at", "actor_kind", "actor_id", "actor_name", "ip", "action", "subject_type", "subject_id"),
    *("changes", "reason", "request_id", "correlation_id", "impersonator_id", "digest"),
)
Format = Literal["csv", "ndjson"]


@dataclass(frozen=True)
class Search:
    """What to look for; an empty field matches all.

    ``actor``: an id, or how the name begins, of who acted or of the admin who acted as them. ``action``: how it begins.
    ``subject``: an id, or how the type begins, or both with a space between. ``since`` and ``until``: a day or a moment
    in RFC 3339; a day counts whole, in UTC.
    """

    actor: str = ""
    action: str = ""
    subject: str = ""
    since: str = ""
    until: str = ""

    def query(self) -> Select[Any]:
        """Raises Invalid for a time that is none."""
        found = select(AuditRow)
        if self.actor:
            found = found.where(_identity(self.actor))
        if self.action:
            found = found.where(AuditRow.action.startswith(self.action, autoescape=True))
        if self.subject:
            kind, space, key = self.subject.partition(" ")
            begins = AuditRow.subject_type.startswith(kind, autoescape=True)
            one = AuditRow.subject_id == (key.strip() if space else self.subject)
            found = found.where(begins, one) if space else found.where(or_(one, begins))
        if self.since:
            found = found.where(AuditRow.at >= _moment("since", self.since, timedelta(0)))
        if self.until:
            found = found.where(AuditRow.at < _moment("until", self.until, timedelta(days=1)))
        return found

    def given(self) -> dict[str, str]:
        """The fields that are not empty."""
        return {name: value for name, value in asdict(self).items() if value}


def _identity(given: str) -> Any:
    try:
        key = UUID(given)
        return or_(AuditRow.actor_id == key, AuditRow.impersonator_id == key)
    except ValueError:
        ids = named(given)
        begins = AuditRow.actor_name.startswith(given, autoescape=True)
        return or_(begins, AuditRow.actor_id.in_(ids), AuditRow.impersonator_id.in_(ids))


def _moment(field: str, given: str, whole_day: timedelta) -> datetime:
    try:
        moment = datetime.fromisoformat(given)
        day = len(given) <= 10
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) + (whole_day if day else timedelta(0))
    except (ValueError, OverflowError):
        raise Invalid({field: [_("Give a day like 2031-05-01.")]}) from None


def export(session: Session, actor: Actor, search: Search, format: Format) -> None:
    """Write into the trail that it is handed out. Raises PermissionMissing, Invalid. Then stream ``lines``."""
    actor.require("core:audit:export")
    search.query()
    changes = {"format": [None, format], **{name: [None, value] for name, value in search.given().items()}}
    record(session, actor, "core.audit.exported", subject_type="audit", subject_id=format, changes=changes)


def lines(unit_of_work: Callable[[], AbstractContextManager[Session]], search: Search, format: Format) -> Iterator[str]:
    """The rows, oldest first, as CSV with a heading or as one JSON object a line.

    They are as they lie in the trail: their digests can be checked, and what is personal stays sealed, so that an
    erasure reaches the files that were handed out.

    Each chunk is read in a unit of work of its own, so that a slow reader holds no connection.
    """
    if format == "csv":
        yield csv_line(COLUMNS)
    after: UUID | None = None
    while True:
        query = search.query().order_by(AuditRow.id).limit(CHUNK)
        with unit_of_work() as session:
            rows: Sequence[AuditRow] = session.scalars(
                query if after is None else query.where(AuditRow.id > after)
            ).all()
        for row in rows:
            values = _values(row)
            yield csv_line(values.values()) if format == "csv" else json.dumps(values) + "\n"
        if len(rows) < CHUNK:
            return
        after = rows[-1].id


def _values(row: AuditRow) -> dict[str, Any]:
    values = {name: getattr(row, name) for name in COLUMNS}
    texts = {name: str(value) for name, value in values.items() if isinstance(value, UUID)}
    return {**values, **texts, "at": rfc3339(row.at), "digest": row.digest.hex()}
