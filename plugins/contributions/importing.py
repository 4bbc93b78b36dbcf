"""Bring a community's past in: chunks of 1,000, one transaction each. Run it again and it goes on where it was."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from sqlalchemy.orm import Session

from guildhall import Actor, DomainError, members

from . import releases, service
from .history import BadLine, Line, fixed_zone

UnitOfWork = Callable[[], AbstractContextManager[Session]]
SHOWN = 1000


@dataclass(slots=True)
class Report:
    """What an import did. ``problems`` holds (line, code, sentence) of the first 1,000 lines not recorded."""

    lines: int = 0
    recorded: int = 0
    duplicate: int = 0
    rejected: int = 0
    invalid: int = 0
    problems: list[tuple[int, str, str]] = field(default_factory=list)

    def count(self, outcome: str, number: int, error: DomainError | None = None) -> None:
        setattr(self, outcome, getattr(self, outcome) + 1)
        if error and len(self.problems) < SHOWN:
            self.problems.append((number, error.code, error.message))

    def as_json(self) -> dict[str, Any]:
        return {
            "lines": self.lines,
            "recorded": self.recorded,
            "duplicate": self.duplicate,
            "rejected": self.rejected,
            "invalid": self.invalid,
            "problems": [list(one) for one in self.problems],
        }


def run(
    unit_of_work: UnitOfWork,
    actor: Actor,
    lines: Iterable[Line | BadLine],
    *,
    kind: str,
    progress: Callable[[int], None] = lambda done: None,
) -> Report:
    """Import ``lines``; members are found or made by their identity of ``kind``. Nothing of a good line is lost.

    ``progress`` is told the lines done after each chunk. Members made here have no account and get no mail.
    """
    report = Report()
    for chunk in _chunks(lines, service.CHUNK):
        good = []
        for one in chunk:
            if isinstance(one, BadLine):
                report.count("invalid", one.number, one.error)
            else:
                good.append(one)
        with unit_of_work() as session:
            outcomes = _import(session, actor, good, kind)
        for outcome in outcomes:
            report.count(outcome.outcome, outcome.line, outcome.error)
        report.lines += len(chunk)
        progress(report.lines)
    return report


def _import(session: Session, actor: Actor, lines: list[Line], kind: str) -> list[service.Outcome]:
    people: dict[str, members.KnownAs] = {}
    for line in lines:
        known = people.get(line.subject)
        if known is None or known.joined_at is None or line.occurred_at < known.joined_at:
            people[line.subject] = members.KnownAs(
                display_name=line.name, time_zone=fixed_zone(line.occurred_at), joined_at=line.occurred_at
            )
    ids = members.by_identity(session, kind, people)
    rows = [
        service.NewContribution(
            line=line.number,
            member_id=ids[line.subject],
            type=line.type,
            event_key=line.key,
            occurred_at=line.occurred_at,
            details=line.details,
        )
        for line in lines
    ]
    return service.record_many(session, actor, releases.known(session, rows, "import"), source="import")


def _chunks(lines: Iterable[Line | BadLine], size: int) -> Iterator[list[Line | BadLine]]:
    iterator = iter(lines)
    while chunk := list(islice(iterator, size)):
        yield chunk
