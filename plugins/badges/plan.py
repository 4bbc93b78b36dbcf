"""The steps of a recalculation: which badges for which members, what comes first, and what may go on at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, ExitStack
from contextvars import copy_context
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from threading import Lock
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from guildhall import Actor, Member, now

from .catalogue import Catalogue, current, needed
from .errors import BadgeNotFound
from .recalculation import HIGHEST, LOWEST, count_anew, recalculate

CHUNK = 25_000  # members of one step: what is read of them is strewn over the tables, so few large scans are best
LEAST = 2_000  # members of one step: fewer are not worth a statement of their own
COUNTED = 1_000  # members of one step that counts: they are locked meanwhile, so it is short
AT_ONCE = 2  # steps; each keeps one core of the database busy

Save = Callable[[Session, dict[str, Any]], None]


@dataclass(frozen=True, kw_only=True)
class Step:
    """A transaction's work: badges that do not need each other, for members with ``above < id <= upto``.

    ``higher`` ones need badges of an earlier phase; one that ``counts`` awards nothing, but counts anew what the
    badges filter by.
    """

    key: str
    slugs: tuple[str, ...]
    higher: bool
    counts: bool = False
    above: UUID = LOWEST
    upto: UUID = HIGHEST


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Phases of steps; the steps of a phase may go on at once. ``state`` is what a checkpoint must hold of it."""

    phases: tuple[tuple[Step, ...], ...]
    state: Mapping[str, Any]

    @property
    def steps(self) -> list[Step]:
        return [step for phase in self.phases for step in phase]


def plan(session: Session, slug: str | None = None, state: Mapping[str, Any] | None = None) -> Plan:
    """The way to recalculate one badge, or all. Raises BadgeNotFound for one that is off or unknown.

    ``state`` of an earlier plan gives the same one, as long as no badge has been edited since.
    """
    catalogue = current(session)
    if slug is not None and catalogue.get(slug) is None:
        raise BadgeNotFound(badge=slug)
    stamp = [str(part) for part in catalogue.stamp]
    kept = state if state and state.get("stamp") == stamp else None
    bounds = [UUID(bound) for bound in kept["bounds"]] if kept else _bounds(session, _size(session))
    edges = list(pairwise([LOWEST, *bounds, HIGHEST]))
    phases: list[tuple[Step, ...]] = []
    filtering = tuple(one.slug for one in catalogue.badges if slug in (None, one.slug) and one.filters)
    parts = [UUID(bound) for bound in kept["parts"]] if kept else _bounds(session, COUNTED) if filtering else []
    if filtering:
        ranges = pairwise([LOWEST, *parts, HIGHEST])
        phases.append(
            tuple(
                Step(key=f"counts:{number}", slugs=filtering, higher=False, counts=True, above=above, upto=upto)
                for number, (above, upto) in enumerate(ranges)
            )
        )
    for number, (slugs, limited, higher) in enumerate(_phases(catalogue, slug)):
        if limited:  # in the order in which the members joined, so all of them at once
            phases += [(Step(key=f"{number}:{one}", slugs=(one,), higher=higher),) for one in slugs]
            continue
        phases.append(
            tuple(
                Step(key=f"{number}:{chunk}", slugs=slugs, higher=higher, above=above, upto=upto)
                for chunk, (above, upto) in enumerate(edges)
            )
        )
    fresh = {"done": [], "awarded": 0, "since": now().isoformat()}
    made = {key: kept[key] if kept else value for key, value in fresh.items()}
    ends = {"bounds": [str(bound) for bound in bounds], "parts": [str(bound) for bound in parts]}
    return Plan(phases=tuple(phases), state={"stamp": stamp, **ends, **made})


def carry_out(
    made: Plan,
    actor: Actor,
    unit_of_work: Callable[[], AbstractContextManager[Session]],
    tell: Callable[[int, int], None],
    save: Save = lambda session, state: None,
) -> int:
    """Do what is not done yet; returns how many awards are new, those before a restart among them.

    ``tell(done, total)`` is called between steps and may raise to stop: what was begun is finished first. ``save``
    writes the checkpoint in the step's own transaction.
    """
    state, guard = dict(made.state), Lock()
    done, total = set(state["done"]), len(made.steps)
    since = datetime.fromisoformat(state["since"])

    def work(step: Step) -> None:
        with ExitStack() as committed:  # the next checkpoint is written when this one is there
            with unit_of_work() as session:
                if step.counts:
                    count = 0
                    count_anew(session, *step.slugs, above=step.above, upto=step.upto)
                else:
                    count = recalculate(
                        session,
                        actor,
                        *step.slugs,
                        above=step.above,
                        upto=step.upto,
                        since=since if step.higher else None,
                    )
                committed.enter_context(guard)
                after = {**state, "done": [*state["done"], step.key], "awarded": state["awarded"] + count}
                save(session, after)
            state.update(after)

    tell(len(done), total)
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="recalculation") as pool:
        for phase in made.phases:
            for _finished in _spread(pool, work, [step for step in phase if step.key not in done]):
                tell(len(state["done"]), total)
    return int(state["awarded"])


def _spread(pool: ThreadPoolExecutor, work: Callable[[Step], None], steps: Sequence[Step]) -> Iterator[None]:
    """Work off ``steps``, a few at once; yields whenever some are finished. Raises what a step raised."""
    todo = list(reversed(steps))
    running: set[Future[None]] = set()
    try:
        while todo or running:
            while todo and len(running) < AT_ONCE:
                running.add(pool.submit(copy_context().run, work, todo.pop()))
            finished, running = wait(running, return_when=FIRST_COMPLETED)
            for one in finished:
                one.result()
            yield
    finally:
        wait(running)


def _size(session: Session) -> int:
    """How many members a step is for: no core of those at work is left without a step, however few they are."""
    members = session.scalar(select(func.count()).select_from(Member)) or 0
    return min(CHUNK, max(LEAST, -(-members // AT_ONCE)))


def _bounds(session: Session, size: int) -> list[UUID]:
    """Where chunks of members end, but for the last one, which has no end."""
    number = func.row_number().over(order_by=Member.id)
    numbered = select(Member.id, number.label("number")).subquery()
    query = select(numbered.c.id).where(numbered.c.number % size == 0).order_by(numbered.c.id)
    return list(session.scalars(query))


def _phases(catalogue: Catalogue, slug: str | None) -> list[tuple[tuple[str, ...], bool, bool]]:
    """Badges in phases, each after what they need; whether they have a supply limit, and whether they need any."""
    phase: dict[str, int] = {}
    found: dict[tuple[int, bool], list[str]] = {}
    for badge in catalogue.badges:  # in dependency order
        if slug not in (None, badge.slug):
            continue
        limited = badge.supply_limit is not None
        own = max((phase[need] + 1 for need in needed(badge.node) if need in phase), default=0)
        phase[badge.slug] = own
        found.setdefault((own, limited), []).append(badge.slug)
    return [(tuple(slugs), limited, own > 0) for (own, limited), slugs in sorted(found.items())]
