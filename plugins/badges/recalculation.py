"""Recalculate: award, set by set, whatever the criteria hold for and nobody was given yet.

One statement reads what many badges measure of a chunk of members once, tests every badge on it, and inserts what is
new. What was had before is a bit string, so that nothing is worked out for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    Uuid,
    and_,
    bindparam,
    column,
    func,
    literal,
    literal_column,
    select,
    text,
    true,
    union_all,
    values,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from guildhall import Actor, Member, locks, now, publish, read_settings

from . import filters, rewards
from .catalogue import Compiled, current
from .evaluator import remaining
from .events import BadgeAwarded, BatchAwarded
from .filters import Filter
from .frame import Frame
from .models import Award
from .settings import BadgeSettings

LOWEST, HIGHEST = UUID(int=0), UUID(int=2**128 - 1)
SOURCE = "recalculation"
MEMORY = "64MB"  # of one sort


def recalculate(
    session: Session,
    actor: Actor,
    *slugs: str,
    above: UUID = LOWEST,
    upto: UUID = HIGHEST,
    since: datetime | None = None,
) -> int:
    """Award badges to every active member with ``above < id <= upto`` who meets them now; returns how many are new.

    Held and removed ones are left alone. Badges that were turned off meanwhile give 0; one with a supply limit goes
    to those who joined first. None of ``slugs`` may need another of them. Where they need badges that a recalculation
    has given from ``since`` on, it must have committed: whoever gained one is locked, so that an evaluation that has
    not seen it ends first. Publishes a quiet BadgeAwarded for each award, or one BatchAwarded when there are many.
    """
    catalogue, at = current(session), now()
    found = [badge for slug in slugs if (badge := catalogue.get(slug)) is not None and badge.active(at)]
    limited = [badge for badge in found if badge.supply_limit is not None]
    unlimited = [badge for badge in found if badge.supply_limit is None]
    session.execute(text("SET LOCAL jit = off"))  # the statements are wide and short: compiling would cost the most
    session.execute(text(f"SET LOCAL work_mem = '{MEMORY}'"))
    span = {"above": above, "upto": upto, "at": at}
    if since is not None:
        query = select(Award.member_id).where(Award.id >= _first_id(since), Award.source == SOURCE)
        query = query.where(Award.member_id > above, Award.member_id <= upto)
        locks.members(session, session.scalars(query.distinct()))
    count = _award(session, actor, awards_of(unlimited), span) if unlimited else 0
    for badge in limited:
        if most := remaining(session, badge.id):
            count += _award(session, actor, awards_of([badge], most), span)
    return count


def _first_id(since: datetime) -> UUID:
    """No award that was made from ``since`` on has a smaller id: ids are UUIDv7 (RFC 9562), which begin with the time.

    Processes' clocks may differ by a minute.
    """
    return UUID(int=int((since - timedelta(minutes=1)).timestamp() * 1000) << 80)


def count_anew(session: Session, *slugs: str, above: UUID = LOWEST, upto: UUID = HIGHEST) -> None:
    """Count what these badges filter by from nothing, for members with ``above < id <= upto``; locks those members."""
    catalogue = current(session)
    some = frozenset[Filter]().union(*(one.filters for one in catalogue.badges if one.slug in slugs))
    filters.recount(session, some, locks.members(session, filters.concerned(session, some, above, upto)))


def _award(session: Session, actor: Actor, statement: Select[Any], span: dict[str, Any]) -> int:
    single = read_settings(session, BadgeSettings).single_events
    count, badge_ids, member_ids, made = session.execute(statement, {**span, "single": single}).one()
    if count > single:
        batch = BatchAwarded(badge_ids=badge_ids, member_ids=member_ids, awards=count, awarded_at=span["at"])
        publish(session, actor, batch)
    elif count:
        publish(session, actor, *(_event(*award) for award in made))
        promised = {badge.id: badge.reward for badge in current(session).badges}
        due = ((UUID(badge_id), UUID(member_id)) for _award_id, badge_id, member_id in made)
        rewards.ask(session, actor, (rewards.Due(one, member, None, promised.get(one)) for one, member in due))
    return int(count)


def _event(award_id: str, badge_id: str, member_id: str) -> BadgeAwarded:
    return BadgeAwarded(award_id=UUID(award_id), badge_id=UUID(badge_id), member_id=UUID(member_id), quiet=True)


def awards_of(badges: Sequence[Compiled], most: int | None = None) -> Select[Any]:
    """The statement that gives ``badges`` to members of ``(:above, :upto]``, no more than ``most`` of them.

    It answers one row: how many, the badges and the members concerned, and the first ``:single`` awards as JSON.
    """
    due = values(column("position", Integer), column("badge_id", Uuid), column("version", Integer), name="due")
    due = due.data([(position, badge.id, badge.version) for position, badge in enumerate(badges)])
    gain = _gain(badges, due, most).subquery("gain")
    # Badge by badge and member by member, as the evaluator writes them: two who insert the same cannot lock up.
    rows = (
        select(
            func.uuidv7(),
            due.c.badge_id,
            gain.c.member_id,
            due.c.version,
            gain.c.facts,
            literal(SOURCE),
            bindparam("at", type_=Award.awarded_at.type),
        )
        .join(due, due.c.position == gain.c.position)
        .order_by(gain.c.position, gain.c.member_id)
    )
    columns = ["id", "badge_id", "member_id", "badge_version", "facts", "source", "awarded_at"]
    statement = insert(Award).from_select(columns, rows, include_defaults=False)
    statement = statement.on_conflict_do_nothing(index_elements=["badge_id", "member_id"])
    made = statement.returning(Award.id, Award.badge_id, Award.member_id).cte("made")
    numbered = select(made, func.row_number().over().label("number")).subquery("numbered")
    first = numbered.c.number <= bindparam("single", type_=Integer)
    award = func.jsonb_build_array(numbered.c.id, numbered.c.badge_id, numbered.c.member_id)
    return select(
        func.count(),
        func.array_agg(numbered.c.badge_id.distinct()),
        func.array_agg(numbered.c.member_id.distinct()),
        func.jsonb_agg(award).filter(first),
    ).select_from(numbered)


def _gain(badges: Sequence[Compiled], due: Any, most: int | None) -> Select[Any]:
    """Member, position of the badge, and what was measured: for each badge that is met and was never had."""
    frame = Frame(_within, wide=True)
    had = frame.rows("had", lambda keep: _had(due, len(badges), keep))
    tests: list[Select[Any]] = []
    for position, badge in enumerate(badges):
        new = func.coalesce(func.get_bit(had.c.badges, position), 0) == 0
        measured = badge.node.measure_sql(frame).label("facts")
        number = literal_column(str(position), Integer).label("position")
        tests.append(select(number, measured).where(new, badge.node.sql(frame)))
    parts = frame.parts
    met = union_all(*(test.correlate(*parts) for test in tests)).lateral("met")
    query = select(Member.id.label("member_id"), met.c.position, met.c.facts)
    query = query.select_from(frame.joined().join(met, true()))
    query = query.where(Member.status == "active", _within(Member.id))
    return query if most is None else query.order_by(Member.joined_at, Member.id).limit(most)


def _had(due: Any, size: int, keep: Any) -> Select[Any]:
    """The badges that a member has or had, as a string of bits by position."""
    none: ColumnElement[Any] = literal_column(f"B'{'0' * size}'")
    query = select(Award.member_id, func.bit_or(func.set_bit(none, due.c.position, 1)).label("badges"))
    query = query.join(due, due.c.badge_id == Award.badge_id).where(keep(Award.member_id))
    return query.group_by(Award.member_id)


def _within(member_id: Any) -> ColumnElement[bool]:
    above, upto = bindparam("above", type_=Uuid), bindparam("upto", type_=Uuid)
    return and_(member_id > above, member_id <= upto)
