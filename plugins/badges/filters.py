"""Counts of contributions that meet a condition in CEL: derived, kept for each filter and member, rebuilt at will.

A filter is its type and its expression, so badges that ask for the same share one count. A member is counted whole when
met for the first time and contribution by contribution afterwards; ``Filtered`` rows make each count once. Whoever
writes counts holds the members' locks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from time import monotonic
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import ARRAY, ColumnElement, Integer, Uuid, column, delete, exists, func, literal, select, text, tuple_
from sqlalchemy import update as change
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from plugins.contributions import ANY_TYPE, Condition, Contribution, TypeProgress, matches

from .frame import Frame
from .leaf import Source
from .models import Filtered, FilteredCount

EXAMPLE = {
    "details": {},
    "kind": "git.commit",
    "source": "system",
    "tier": "free",
    "occurred_at": datetime(2025, 1, 1, tzinfo=UTC),
}
_NAMES = UUID("6f0e1f2c-1f6b-5c7d-9d0b-6f2b54d9a1c3")
AT_ONCE = 1_000  # members
ROWS = 10_000


class OutOfTime(Exception):
    """Counting took longer than it may."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Contributions of the type ``event`` (``*``: any) where the CEL expression ``where`` holds."""

    event: str
    where: str

    @property
    def id(self) -> UUID:
        """The same for the same filter, in every database."""
        return _id(self)

    def touched_by(self, types: Collection[str]) -> bool:
        """Whether contributions of these types can meet it."""
        return self.event == ANY_TYPE or self.event in types


@cache
def _id(one: Filter) -> UUID:
    return uuid5(_NAMES, f"{one.event}\n{one.where}")


_KEPT = text("""
    SELECT filter_id, member_id, count FROM badges_filtered_count
    WHERE filter_id = ANY(:filters) AND member_id = ANY(:members)
""")


def _counts(session: Session, some: Collection[Filter], members: Collection[UUID]) -> dict[Filter, dict[UUID, int]]:
    """Kept counts; who was never counted is counted in memory."""
    kept: dict[UUID, dict[UUID, int]] = {one.id: {} for one in some}
    for key, member, count in session.execute(_KEPT, {"filters": list(kept), "members": list(members)}):
        kept[key][member] = count
    rest = {one: set(members).difference(kept[one.id]) for one in some}
    fresh = [one for one in some if rest[one]]
    found = _counted(session, fresh, set().union(*rest.values())) if fresh else {}
    return {one: {**dict.fromkeys(rest[one], 0), **found.get(one.id, {}), **kept[one.id]} for one in some}


@cache
def count_of(one: Filter) -> Source:
    """The count as a fact."""
    return Source.one_of(f"filtered {one.id}", _counts, one)


def column_of(frame: Frame, one: Filter) -> ColumnElement[Any]:
    """The count in SQL; NULL is 0."""
    kept = frame.column(FilteredCount, "count", filter_id=one.id)
    more = frame.counted.get(one.id)
    if not more:
        return kept
    members, counts = literal(list(more), ARRAY(Uuid)), literal(list(more.values()), ARRAY(Integer))
    rows = (
        func.unnest(members, counts).table_valued(column("member_id", Uuid), column("count", Integer)).render_derived()
    )
    found = frame.rows(("counted", one.id), lambda keep: select(rows.c.member_id, rows.c["count"]))
    return func.coalesce(kept, found.c["count"])


def named(definition: Any) -> set[Filter]:
    """The filters that criteria speak of, whether or not they can be read now."""
    if isinstance(definition, list):
        return set[Filter]().union(*map(named, definition))
    if not isinstance(definition, dict):
        return set()
    event, where = definition.get("event"), definition.get("where")
    own = {Filter(event, where)} if isinstance(event, str) and isinstance(where, str) else set()
    return own.union(*map(named, definition.values()))


def follow(
    session: Session, some: Collection[Filter], members: Collection[UUID], contributions: Collection[UUID]
) -> None:
    """Count what these contributions changed, by coming or by going; twice is as once."""
    if not some or not members:
        return
    ids = [one.id for one in some]
    query = select(FilteredCount.filter_id, FilteredCount.member_id)
    query = query.where(FilteredCount.filter_id.in_(ids), FilteredCount.member_id.in_(list(members)))
    kept = set(session.execute(query).tuples())
    for one in some:
        if fresh := [member_id for member_id in members if (one.id, member_id) not in kept]:
            recount(session, [one], fresh)
    if not contributions:
        return
    found = matches(session, _conditions(some), ids=contributions, members=members)
    met = {(_of(condition).id, member, key) for condition, member, key in _flat(found)}
    mine = (Filtered.filter_id.in_(ids), Filtered.member_id.in_(list(members)))
    gone = _remove(session, *mine, Filtered.contribution_id.in_(list(contributions)), met=met)
    change_by = Counter(_insert(session, met))
    change_by.subtract(Counter(gone))
    for (filter_id, member_id), number in sorted(change_by.items()):
        if number:
            row = (FilteredCount.filter_id == filter_id, FilteredCount.member_id == member_id)
            session.execute(change(FilteredCount).where(*row).values(count=FilteredCount.count + number))


def recount(session: Session, some: Collection[Filter], members: Collection[UUID]) -> None:
    """Count these members from nothing."""
    if not some or not members:
        return
    found = set(_flat(matches(session, _conditions(some), members=members)))
    met = {(_of(condition).id, member, key) for condition, member, key in found}
    ids = [one.id for one in some]
    _remove(session, Filtered.filter_id.in_(ids), Filtered.member_id.in_(list(members)), met=met)
    _insert(session, met)
    counts = Counter((filter_id, member) for filter_id, member, _key in met)
    pairs = sorted((one, member) for one in ids for member in members)
    for start in range(0, len(pairs), ROWS):
        rows = [
            {"filter_id": one, "member_id": member, "count": counts[one, member]}
            for one, member in pairs[start : start + ROWS]
        ]
        statement = insert(FilteredCount).values(rows)
        keep = {"count": statement.excluded.count}
        session.execute(
            statement.on_conflict_do_update(index_elements=["filter_id", "member_id"], set_=keep),
            execution_options={"compiled_cache": None},
        )


def concerned(session: Session, some: Collection[Filter], above: UUID, upto: UUID) -> list[UUID]:
    """Members with ``above < id <= upto`` who made contributions that the filters look at."""
    query = select(TypeProgress.member_id).distinct()
    query = query.where(TypeProgress.member_id > above, TypeProgress.member_id <= upto)
    types = {one.event for one in some}
    if ANY_TYPE not in types:
        query = query.where(TypeProgress.type.in_(sorted(types)))
    return list(session.scalars(query.order_by(TypeProgress.member_id)))


def forget(session: Session, some: Iterable[Filter]) -> None:
    """Drop the counts of filters that nothing has followed; members are counted anew when they are met."""
    for one in some:
        session.execute(delete(FilteredCount).where(FilteredCount.filter_id == one.id))
        session.execute(delete(Filtered).where(Filtered.filter_id == one.id))


def uncounted(session: Session, some: Collection[Filter], *, seconds: float = 60.0) -> dict[UUID, dict[UUID, int]]:
    """Counts, by filter and member, of the members who have none yet. Raises OutOfTime."""
    until = monotonic() + seconds
    found: dict[UUID, Counter[UUID]] = {}
    for one in some:
        here = (FilteredCount.filter_id == one.id, FilteredCount.member_id == Contribution.member_id)
        counts = found.setdefault(one.id, Counter())
        for part in matches(session, _conditions([one]), unless=exists().where(*here)):
            counts.update(member for _condition, member, _key in part)
            if monotonic() > until:
                raise OutOfTime
    return {key: dict(counts) for key, counts in found.items()}


def wrong(session: Session, some: Collection[Filter], members: Collection[UUID]) -> Iterator[tuple[Filter, UUID, str]]:
    """Counts of these members that are not what counting gives."""
    truth = _counted(session, some, members)
    for one in some:
        query = select(FilteredCount.member_id, FilteredCount.count)
        query = query.where(FilteredCount.filter_id == one.id, FilteredCount.member_id.in_(list(members)))
        for member_id, kept in session.execute(query).tuples():
            true = truth.get(one.id, {}).get(member_id, 0)
            if kept != true:
                yield one, member_id, f"{kept} kept, {true} counted"


def _counted(session: Session, some: Collection[Filter], members: Collection[UUID]) -> dict[UUID, Mapping[UUID, int]]:
    found: dict[UUID, Counter[UUID]] = {}
    if members:
        for condition, member, _key in _flat(matches(session, _conditions(some), members=members)):
            found.setdefault(_of(condition).id, Counter())[member] += 1
    return dict(found)


def _conditions(some: Iterable[Filter]) -> list[Condition]:
    return [Condition(one.event, one.where) for one in some]


def _of(condition: Condition) -> Filter:
    return Filter(condition.type, condition.when)


def _flat(parts: Iterable[list[Any]]) -> Iterator[Any]:
    for part in parts:
        yield from part


def _remove(session: Session, *where: Any, met: Collection[tuple[UUID, UUID, UUID]]) -> list[tuple[UUID, UUID]]:
    """Drop what is counted and no longer met; returns filter and member of each."""
    found = session.execute(select(Filtered.filter_id, Filtered.member_id, Filtered.contribution_id).where(*where))
    gone = sorted(set(found.tuples()) - set(met))
    key = tuple_(Filtered.filter_id, Filtered.member_id, Filtered.contribution_id)
    for start in range(0, len(gone), AT_ONCE):
        session.execute(delete(Filtered).where(key.in_(gone[start : start + AT_ONCE])))
    return [(filter_id, member) for filter_id, member, _key in gone]


def _insert(session: Session, met: Collection[tuple[UUID, UUID, UUID]]) -> list[tuple[UUID, UUID]]:
    """Write what is new; returns filter and member of each."""
    if not met:
        return []
    filters, members, keys = (literal(list(part), ARRAY(Uuid)) for part in zip(*sorted(met), strict=True))
    names = ["filter_id", "member_id", "contribution_id"]
    rows = func.unnest(filters, members, keys).table_valued(*(column(name, Uuid) for name in names)).render_derived()
    statement = insert(Filtered).from_select(names, select(*(rows.c[name] for name in names)), include_defaults=False)
    made = session.execute(statement.on_conflict_do_nothing().returning(Filtered.filter_id, Filtered.member_id))
    return list(made.tuples())
