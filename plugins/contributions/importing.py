"""Bring a community's past in: chunks of 1,000, one transaction each. Run it again and it goes on where it was."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from sqlalchemy.orm import Session

from guildhall import Actor, members

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

    def add(self, chunk: Chunk, lines: int) -> None:
        """Count a chunk of so many lines."""
        self.lines += lines
        for one in chunk.outcomes:
            setattr(self, one.outcome, getattr(self, one.outcome) + 1)
        self.problems += chunk.problems[: SHOWN - len(self.problems)]

    def as_json(self) -> dict[str, Any]:
        return {
            "lines": self.lines,
            "recorded": self.recorded,
            "duplicate": self.duplicate,
            "rejected": self.rejected,
            "invalid": self.invalid,
            "problems": [list(one) for one in self.problems],
        }


@dataclass(frozen=True, slots=True)
class Chunk:
    """What became of up to 1,000 lines, the last of which has the number ``last``."""

    last: int
    outcomes: list[service.Outcome]
    problems: list[tuple[int, str, str]]


def run(
    unit_of_work: UnitOfWork,
    actor: Actor,
    lines: Iterable[Line | BadLine],
    *,
    kind: str,
    progress: Callable[[int], None] = lambda done: None,
    report: Report | None = None,
    keep: Callable[[Session, Chunk, Report], None] = lambda session, chunk, report: None,
) -> Report:
    """Import ``lines``; members are found or made by their identity of ``kind``. Nothing of a good line is lost.

    ``progress`` is told the lines done after each chunk; ``keep`` what became of it, in its transaction. ``report`` is
    that of the lines before. Members made here have no account and get no mail.
    """
    report = report or Report()
    for chunk in chunks(lines):
        with unit_of_work() as session:
            done = take(session, actor, chunk, kind)
            report.add(done, len(chunk))
            keep(session, done, report)
        progress(report.lines)
    return report


def take(session: Session, actor: Actor, chunk: Sequence[Line | BadLine], kind: str) -> Chunk:
    """Record the good lines of a chunk; says what became of each, and what is wrong with the others."""
    outcomes = _import(session, actor, [one for one in chunk if isinstance(one, Line)], kind)
    bad = [
        service.Outcome(line=one.number, outcome="invalid", error=one.error)
        for one in chunk
        if isinstance(one, BadLine)
    ]
    outcomes = sorted([*outcomes, *bad], key=lambda one: one.line)
    problems = [(one.line, one.error.code, one.error.message) for one in outcomes if one.error]
    return Chunk(max(one.number for one in chunk), outcomes, problems)


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


def chunks(lines: Iterable[Line | BadLine], size: int = service.CHUNK) -> Iterator[list[Line | BadLine]]:
    """Lines by the thousand."""
    iterator = iter(lines)
    while chunk := list(islice(iterator, size)):
        yield chunk
