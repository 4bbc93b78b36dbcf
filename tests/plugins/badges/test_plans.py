"""The hot queries are answered from indexes, whatever the tables hold."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Select, TextClause, event, func, select, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Session

from guildhall import Member, new_id
from plugins.badges import Award, filters, queries
from plugins.badges.catalogue import kinds
from plugins.badges.counts import BEST_OF_MANY, BEST_OF_ONE, best, best_of
from plugins.badges.criteria import parse
from plugins.badges.filters import Filter, count_of
from plugins.badges.frame import Frame
from plugins.badges.leaf import load_all
from plugins.badges.leaves import HELD, VERIFIED
from plugins.badges.models import FilteredCount

from .conftest import add_people, count, held, points

SOMEBODY = UUID(int=7)


@pytest.fixture
def fresh(session: Session) -> None:
    """The contributions without what other tests made the planner believe of them, and without the index that answers
    about as well while there are hardly any."""
    session.execute(text("SELECT pg_clear_relation_stats('public', 'contributions_contribution')"))
    session.execute(text("DROP INDEX ix_contributions_contribution_member"))


def plan_of(session: Session, query: Select[Any]) -> str:
    """PostgreSQL's plan where reading a whole table is the last resort, as it is when the tables are large."""
    session.execute(text("SET LOCAL enable_seqscan = off"))
    compiled = query.compile(dialect=postgresql.dialect(), compile_kwargs={"literal_binds": True})
    return "\n".join(session.scalars(text(f"EXPLAIN {str(compiled).replace(':', chr(92) + ':')}")))


@pytest.mark.parametrize(
    "query",
    [
        pytest.param(select(Award.id).where(Award.member_id == SOMEBODY), id="badges of a member"),
        pytest.param(select(Award.id).where(Award.contribution_id == SOMEBODY), id="badges of a contribution"),
        pytest.param(
            select(Award.id).where(Award.badge_id == SOMEBODY).order_by(Award.awarded_at.desc()).limit(10),
            id="newest holders",
        ),
        pytest.param(
            select(Award.id).where(Award.badge_id == SOMEBODY, Award.member_id == SOMEBODY), id="one standing"
        ),
        pytest.param(select(Award.id).order_by(Award.id.desc()).limit(10), id="newest awards"),
        pytest.param(
            select(Award.member_id).where(Award.id >= SOMEBODY, Award.source == "recalculation"),
            id="awards of a recalculation",
        ),
        pytest.param(
            select(Award.member_id).where(Award.badge_id.in_([SOMEBODY]), Award.awarded_at == func.now()),
            id="awards of a batch",
        ),
        pytest.param(
            select(FilteredCount.count).where(FilteredCount.filter_id == SOMEBODY, FilteredCount.member_id == SOMEBODY),
            id="a filtered count",
        ),
        pytest.param(best("git.commit", 7, lambda column: column == SOMEBODY), id="best days of a member"),
    ],
)
def test_no_table_is_read_as_a_whole(session: Session, query: Select[Any]) -> None:
    assert "Seq Scan" not in plan_of(session, query)


@pytest.mark.usefixtures("fresh")
def test_the_best_days_of_a_member_are_read_from_an_index_alone(session: Session) -> None:
    session.execute(text("SET LOCAL enable_bitmapscan = off"))
    told = plan_of(session, best("git.commit", 7, lambda column: column == SOMEBODY))
    assert "Index Only Scan using ix_contributions_contribution_counted" in told


@pytest.mark.usefixtures("fresh")
@pytest.mark.parametrize("statement", [BEST_OF_ONE, BEST_OF_MANY], ids=["of one", "of many"])
def test_best_days_of_many_kinds_are_read_from_the_same_index(session: Session, statement: TextClause) -> None:
    session.execute(text("SET LOCAL enable_seqscan = off"))
    session.execute(text("SET LOCAL enable_bitmapscan = off"))
    pairs = [{"event": "*", "days": 7}, {"event": "git.commit", "days": 30}]
    told = "\n".join(
        session.scalars(text(f"EXPLAIN {statement.text}"), {"ids": [SOMEBODY], "pairs": json.dumps(pairs)})
    )
    assert "Index Only Scan using ix_contributions_contribution_counted" in told
    assert "Seq Scan" not in told


def test_facts_of_a_kind_are_read_in_one_statement(session: Session) -> None:
    somebody, *_others = ids = add_people(session, 3)
    windows = [best_of("git.commit", 7), best_of("git.commit", 30), best_of("*", 7)]
    counts = [count_of(Filter("git.merge", f"details.lines > {lines}")) for lines in (1, 2)]
    filters.recount(session, [one.key for one in counts], ids)
    sent: list[str] = []
    listener = (session.connection(), "before_cursor_execute", lambda *told: sent.append(told[2]))
    event.listen(*listener)
    found = load_all(session, [*windows, *counts, HELD, VERIFIED], ids)
    event.remove(*listener)
    assert len(sent) == 3, sent
    assert [found[one][somebody] for one in (*windows, *counts)] == [0] * 5
    assert (found[HELD][somebody], found[VERIFIED][somebody]) == (frozenset(), False)


def test_criteria_are_plain_comparisons_that_indexes_answer(session: Session) -> None:
    node = parse({"all": [points(5000), count("git.commit", 10), held("winner")]}, kinds(session))
    frame = Frame()
    met = node.sql(frame)
    shown = plan_of(session, select(Member.id).select_from(frame.joined()).where(Member.status == "active", met))
    assert "Left Join" not in shown  # the planner has seen that a missing row is not enough
    assert "Seq Scan" not in shown


def test_many_badges_read_a_table_once(session: Session) -> None:
    tree = {"any": [count("git.commit", 10), count("git.merge", 5), count("git.release"), points(9), points(99)]}
    frame = Frame(lambda member_id: member_id == new_id(), wide=True)
    met = parse(tree, kinds(session)).sql(frame)
    shown = str(select(Member.id).select_from(frame.joined()).where(met))
    assert shown.count("FROM contributions_type_progress") == 1
    assert shown.count("JOIN contributions_progress") == 1


def test_a_preview_counts_those_who_gain_and_those_who_would_not_meet_it(session: Session, system: Any) -> None:
    from plugins.badges import service
    from plugins.badges.recalculation import recalculate

    from .test_recalculation import give_points

    low, high, hand = add_people(session, 3)
    give_points(session, [low], 100)
    give_points(session, [high], 900)
    recalculate(session, system, "points-100")
    service.award(session, system, slug="points-100", member_id=hand, reason="by hand is not counted as losing")
    found = queries.preview(session, points(500), slug="points-100")
    assert (found.count, found.already, found.losing) == (1, 1, 1)
