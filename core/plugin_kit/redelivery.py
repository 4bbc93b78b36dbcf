"""Deliver events, and once more: a handler whose second call leaves another table than the first is found."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import inspect, text
from sqlalchemy.orm import Session

from core import generation
from core.clock import frozen, now
from core.events.deliver import Deliverer
from core.platform import Platform

# What tells of the delivering itself, and not of its effect.
APART = {"core_delivery", "core_generation", "core_subscriber", "core_worker", "core_plugin", "core_webhook_attempt"}
_AGAIN = text("""
    UPDATE core_delivery SET state = 'pending', due_at = :at, done_at = NULL, attempts = 0
    WHERE subscriber = :subscriber AND state = 'done'
""")
_FAILED = text("""
    SELECT subscriber, max(last_error) FROM core_delivery
    WHERE last_error IS NOT NULL AND state <> 'done' GROUP BY 1 ORDER BY 1
""")
_DONE = text("SELECT DISTINCT subscriber FROM core_delivery WHERE state = 'done' ORDER BY 1")


@dataclass(frozen=True)
class Drained:
    """How many deliveries ended ``well``, the last error of those that did not by subscriber, and by subscriber the
    tables that a second delivery changed."""

    well: int
    failed: Mapping[str, str]
    changed: Mapping[str, list[str]]


def drain(
    platform: Platform, *, twice: bool = False, seconds: float = 30.0, only: Callable[[str], bool] = lambda _: True
) -> Drained:
    """Deliver all that is due; ``twice`` delivers everything again to each subscriber for which ``only(id)`` holds.

    The clock stands still meanwhile, so that a moment written twice is the same.
    """
    deliverer = Deliverer(platform.database)
    changed: dict[str, list[str]] = {}
    with frozen(now()):
        well = deliverer.drain(seconds=seconds)
        with platform.unit_of_work() as session:
            delivered = [name for name in session.scalars(_DONE) if only(name)]
        for subscriber in delivered if twice else ():
            with platform.unit_of_work() as session:
                before = fingerprints(session)
                session.execute(_AGAIN, {"subscriber": subscriber, "at": now()})
            deliverer.drain(seconds=seconds)
            with platform.unit_of_work() as session:
                after = fingerprints(session)
            if differing := sorted(name for name in after if after[name] != before.get(name)):
                changed[subscriber] = differing
        with platform.unit_of_work() as session:
            failed = {name: str(error) for name, error in session.execute(_FAILED).tuples()}
    return Drained(well, failed, changed)


def fingerprints(session: Session) -> dict[str, str]:
    """For each table the digest of its rows, in whatever order they lie."""
    names = [name for name in inspect(session.connection()).get_table_names() if name not in APART]
    each = "SELECT '{0}', md5(coalesce(string_agg(md5(t::text), '' ORDER BY md5(t::text)), '')) FROM \"{0}\" t"
    rows = session.execute(text(" UNION ALL ".join(each.format(name) for name in sorted(names))))
    return dict(rows.tuples().all())


def keep_inside(platform: Platform, subscribers: Iterable[str]) -> None:
    """Pause these subscribers, so that nothing is called outside."""
    with platform.unit_of_work() as session:
        silence = text("UPDATE core_subscriber SET paused = true WHERE id = ANY(:ids)")
        session.execute(silence, {"ids": list(subscribers)})
        generation.advance(session)
