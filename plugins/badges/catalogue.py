"""The badges that can be earned, compiled and indexed in memory, and fresh at every look."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from graphlib import CycleError, TopologicalSorter
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import ColumnElement, literal_column, select, text
from sqlalchemy.orm import Session

from guildhall import collect, generation

from . import filters
from .criteria import Node, Test, parse
from .errors import InvalidCriteria
from .filters import Filter
from .leaf import Leaf, Source
from .models import Badge
from .rewards import Reward

log = structlog.get_logger("badges")
KEY = ("badges", "catalogue")
# What tells whether a kept catalogue is still true, as two columns of any query.
STAMP: tuple[ColumnElement[Any], ...] = (
    literal_column("(SELECT count(*) FROM badges_badge)"),
    literal_column("(SELECT sum(hashint8extended(xmin::text::bigint, revision)) FROM badges_badge)"),
)
_STAMP = text("SELECT count(*), sum(hashint8extended(xmin::text::bigint, revision)) FROM badges_badge")
BADGE = "badge:"


@dataclass(frozen=True, eq=False)
class Compiled:
    """An enabled badge ready for use. The closure is made once for each (badge, version)."""

    id: UUID
    slug: str
    version: int
    node: Node
    test: Test
    depends_on: frozenset[str]
    sources: frozenset[Source]
    filters: frozenset[Filter]
    active_from: datetime | None
    active_until: datetime | None
    supply_limit: int | None
    reward: Reward | None

    def active(self, at: datetime) -> bool:
        """Whether it can be earned at ``at``; the window is half-open."""
        begun = self.active_from is None or self.active_from <= at
        return begun and (self.active_until is None or at < self.active_until)


@dataclass(frozen=True, eq=False)
class Catalogue:
    """Enabled badges in dependency order: one that needs another comes after it. Whoever writes awards writes them in
    this order, and for each badge in the order of members, so that two who do never wait for each other in a circle.

    ``broken`` holds badges that cannot be compiled now (a plugin that brings a leaf is off) with the reason;
    ``filters`` are those of every badge, be it disabled or broken, so that their counts never fall behind.
    """

    stamp: tuple[int, int]
    badges: tuple[Compiled, ...]
    broken: Mapping[str, str]
    filters: frozenset[Filter]
    index: Mapping[str, tuple[int, ...]] = field(init=False)

    def __post_init__(self) -> None:
        index: dict[str, list[int]] = {}
        for position, badge in enumerate(self.badges):
            for cause in badge.depends_on:
                index.setdefault(cause, []).append(position)
        object.__setattr__(self, "index", {cause: tuple(found) for cause, found in index.items()})

    def touched_by(self, types: Iterable[str]) -> set[int]:
        """Positions of the badges that contributions of these types can bring."""
        found = set(self.index.get("*", ()))
        return found.union(*(self.index.get(code, ()) for code in types))

    def that_need(self, slug: str) -> tuple[int, ...]:
        """Positions of the badges that depend on holding ``slug``."""
        return self.index.get(BADGE + slug, ())

    def get(self, slug: str) -> Compiled | None:
        return next((badge for badge in self.badges if badge.slug == slug), None)


def kinds(session: Session) -> dict[str, type[Leaf]]:
    """Every kind of leaf that an enabled plugin brings, by name; of two with one name the first stays."""
    found: dict[str, type[Leaf]] = {}
    for plugin, leaves in collect(session, "badge_criteria"):
        for leaf in leaves:
            if found.setdefault(leaf.type_name, leaf) is not leaf:
                log.warning("criteria registered twice", name=leaf.type_name, plugin=plugin)
    return found


def current(session: Session, seen: tuple[int, Any] | None = None) -> Catalogue:
    """The catalogue as the transaction sees it: one small query tells whether the kept one is still true.

    ``seen`` is what STAMP said in a statement of the caller's, instead of that query.
    """
    count, versions = seen or session.execute(_STAMP).one()
    stamp = (count, int(versions or 0))  # a transaction that was rolled back leaves no stamp that is met again
    kept: Catalogue | None = generation.cached(session, KEY)
    if kept is not None and kept.stamp == stamp:
        return kept
    made = _compile(session, stamp, {(badge.id, badge.version): badge for badge in kept.badges} if kept else {})
    generation.keep(session, KEY, made)
    return made


def _compile(session: Session, stamp: tuple[int, int], known: Mapping[Any, Compiled]) -> Catalogue:
    leaves = kinds(session)
    columns = (
        Badge.id,
        Badge.slug,
        Badge.version,
        Badge.criteria,
        Badge.active_from,
        Badge.active_until,
        Badge.supply_limit,
        Badge.reward_amount,
        Badge.reward_asset,
        Badge.enabled,
    )
    made, broken = {}, {}
    followed: set[Filter] = set()
    for row in session.execute(select(*columns).order_by(Badge.slug)):
        followed |= filters.named(row.criteria)
        if not row.enabled:
            continue
        old = known.get((row.id, row.version))
        try:
            node = old.node if old else parse(row.criteria, leaves)
        except InvalidCriteria as problem:
            broken[row.slug] = problem.message
            log.warning("badge cannot be compiled", badge=row.slug, problem=problem.message)
            continue
        made[row.slug] = Compiled(
            id=row.id,
            slug=row.slug,
            version=row.version,
            node=node,
            test=old.test if old else node.closure(),
            depends_on=node.depends_on(),
            sources=node.sources(),
            filters=frozenset(filters.named(row.criteria)),
            active_from=row.active_from,
            active_until=row.active_until,
            supply_limit=row.supply_limit,
            reward=Reward(int(row.reward_amount), row.reward_asset) if row.reward_amount else None,
        )
    return Catalogue(stamp, tuple(made[slug] for slug in _ordered(made)), broken, frozenset(followed))


def _ordered(badges: Mapping[str, Compiled]) -> list[str]:
    needs = {slug: {need for need in needed(badge.node) if need in badges} for slug, badge in badges.items()}
    try:
        depth: dict[str, int] = {}
        for slug in TopologicalSorter(needs).static_order():
            depth[slug] = max((depth[need] + 1 for need in needs[slug]), default=0)
    except CycleError as problem:  # create and update refuse circles; an edit by SQL must not stop the rest
        log.warning("badges need each other", circle=problem.args[1])
        return sorted(badges)
    return sorted(badges, key=lambda slug: (depth[slug], slug))


def needed(node: Node) -> set[str]:
    """Slugs of the badges that a tree asks for."""
    return {cause.removeprefix(BADGE) for cause in node.depends_on() if cause.startswith(BADGE)}
