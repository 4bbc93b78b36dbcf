"""Rules with conditions, adjustments, schemas and overrides: an independent model, and each refusal with a sentence."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from core.clock import frozen
from guildhall import Actor, DomainError, Invalid, members, new_id
from plugins.contributions import corrections, expressions, rules, service, simulator
from plugins.contributions.errors import DuplicateEvent
from plugins.contributions.models import Contribution, ContributionType, LimitSlot, Override, TypeVersion
from plugins.contributions.rules import Exemption, rules_of, score
from plugins.contributions.service import NewContribution

from .conftest import add_people, findings
from .test_scoring import kind

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
SCHEMA = {
    "type": "object",
    "required": ["lines"],
    "properties": {"lines": {"type": "integer", "minimum": 1}, "tags": {"type": "array", "items": {"maxLength": 5}}},
}


def edit(session: Session, actor: Actor, code: str = "git.commit", **values: Any) -> ContributionType:
    row = session.scalars(select(ContributionType).where(ContributionType.code == code)).one()
    return service.update_type(session, actor, row, values)


number = st.integers(0, 1000)
signed = st.integers(-1000, 1000)
adjustments = st.lists(
    st.tuples(signed, st.none() | st.integers(1, 7), st.booleans()),
    max_size=4,
)


def model(
    base: int, bonus: list[tuple[int, bool]], multiplier: int, adjust: Any, more: int, lines: int, limit: Any, cap: Any
) -> int:
    """The formula as SPEC says it, written without the code: every addend apart, then the bounds in their order."""
    total = base
    for points, wants in bonus:
        total += points if (not wants or lines >= 10) else 0
    total += base * multiplier // 10000 - base
    adjusted = 0
    for points, each, wants in adjust:
        if not wants or lines >= 10:
            adjusted += points if each is None else points * (lines // each)
    total += adjusted if limit is None else min(adjusted, limit)
    total = max(0, total + more)
    return total if cap is None else min(total, cap)


@settings(deadline=None, max_examples=60)
@given(
    base=number,
    bonus=st.lists(st.tuples(number, st.booleans()), max_size=3),
    tier=st.sampled_from([("free", 10000), ("pro", 15001), ("enterprise", 20000)]),
    adjust=adjustments,
    more=signed,
    lines=st.integers(0, 50),
    limit=st.none() | number,
    cap=st.none() | number,
)
def test_the_score_is_that_of_an_independent_model(
    base: int, bonus: Any, tier: tuple[str, int], adjust: Any, more: int, lines: int, limit: Any, cap: Any
) -> None:
    when = "details.lines >= 10"
    row = kind(
        base_points=base,
        bonus=[{"label": "b", "points": p, **({"when": when} if wants else {})} for p, wants in bonus],
        tiers={tier[0]: tier[1]},
        adjustments=[
            {
                "label": "a",
                "points": p,
                **({"field": "lines", "each": each} if each else {}),
                **({"when": when} if w else {}),
            }
            for p, each, w in adjust
        ],
        adjustment_cap=limit,
        cap=cap,
    )
    result = score(rules_of(row), tier[0], {"lines": lines}, further=(("plugin", more),))
    assert result.points == model(base, bonus, tier[1], adjust, more, lines, limit, cap)
    assert sum(line["points"] for line in result.lines) == result.points


# What could be wrong in the formula: a piece of it, and what it might be mistaken for.
MUTANTS = {
    "no base": ('_line("Base", rules.base)', '_line("Base", 0)'),
    "bonus without its condition": ("for one in rules.bonus if one.applies(event)", "for one in rules.bonus"),
    "adjustment without its condition": (
        "for one in rules.adjustments if one.holds(event)",
        "for one in rules.adjustments",
    ),
    "tier multiplies instead of adding": ("rules.base * (multiplier - WHOLE)", "rules.base * multiplier"),
    "tier rounds up": ("(multiplier - WHOLE) // WHOLE", "(multiplier - WHOLE) // WHOLE + 1"),
    "tier of nobody": ("rules.tiers.get(tier, WHOLE)", "WHOLE"),
    "adjustments without a cap": ("_sum(adjusted) > rules.adjustment_cap", "False"),
    "adjustment cap as a floor": ("_sum(adjusted) > rules.adjustment_cap", "True"),
    "plugins are not heard": ("for label, points in further", "for label, points in ()"),
    "below zero": ("_sum(lines) < 0", "False"),
    "no cap": ("_sum(lines) > rules.cap", "False"),
    "cap as a floor": ("_sum(lines) > rules.cap", "True"),
    "a line too few": ("return Score(_sum(lines), lines)", "return Score(_sum(lines), lines[1:])"),
}
CASES = [
    (base, bonus, multiplier, adjust, more, lines, limit, cap)
    for base in (0, 7)
    for bonus in ([], [(3, True)])
    for multiplier in (10000, 15001)
    for adjust in ([], [(19, None, True), (-2, 3, False)])
    for more in (-20, 0, 4)
    for lines in (2, 12)
    for limit in (None, 1)
    for cap in (None, 8)
]


def agrees(scored: Any) -> bool:
    """Whether a scoring function agrees with the model in every case, and its lines with its total."""
    for base, bonus, multiplier, adjust, more, lines, limit, cap in CASES:
        when = {"when": "details.lines >= 10"}
        row = kind(
            base_points=base,
            bonus=[{"label": "b", "points": p, **(when if w else {})} for p, w in bonus],
            tiers={"pro": multiplier},
            adjustments=[
                {"label": "a", "points": p, **({"field": "lines", "each": e} if e else {}), **(when if w else {})}
                for p, e, w in adjust
            ],
            adjustment_cap=limit,
            cap=cap,
        )
        result = scored(rules_of(row), "pro", {"lines": lines}, further=(("plugin", more),))
        if result.points != model(base, bonus, multiplier, adjust, more, lines, limit, cap):
            return False
        if result.points != sum(line["points"] for line in result.lines):
            return False
    return True


@pytest.mark.parametrize("mutant", MUTANTS)
def test_the_model_catches_each_broken_formula(mutant: str) -> None:
    right, wrong = MUTANTS[mutant]
    source = inspect.getsource(rules.score)
    assert right in source, "the formula was written anew: mend the mutant"
    space = dict(vars(rules))
    exec(source.replace(right, wrong), space)
    assert not agrees(space["score"])


def test_the_formula_itself_agrees_with_the_model() -> None:
    assert agrees(score)


@settings(deadline=None, max_examples=60)
@given(share=st.integers(0, 10**6), base=number, cap=st.none() | number)
def test_an_override_is_a_share_of_the_score_and_under_the_cap(share: int, base: int, cap: int | None) -> None:
    plain = rules_of(kind(base_points=base, cap=cap))
    expected = base * share // 10000
    result = score(plain, "free", {}, exemption=Exemption("Fair", basis_points=share))
    assert result.points == (expected if cap is None else min(expected, cap))
    assert score(plain, "free", {}, exemption=Exemption("Fixed", points=7)).points == (
        7 if cap is None else min(7, cap)
    )


@pytest.mark.parametrize(
    ("values", "field", "says"),
    [
        ({"bonus": [{"label": "x", "points": 1, "when": "details."}]}, "bonus", "Syntax error"),
        ({"bonus": [{"label": "x", "points": 1, "when": "secret > 1"}]}, "bonus", "undeclared reference"),
        ({"bonus": [{"label": "x", "points": 1, "when": "1 + 1"}]}, "bonus", "true or false"),
        ({"bonus": [{"label": "x", "points": 1, "when": "true || " * 80 + "true"}]}, "bonus", "at most 500"),
        ({"adjustments": [{"label": "x"}]}, "adjustments", "points"),
        ({"adjustments": [{"label": "x", "points": 1.5}]}, "adjustments", "integer"),
        ({"cooldown_seconds": -1}, "cooldown_seconds", "31,622,400"),
        ({"adjustment_cap": -1}, "adjustment_cap", "negative"),
        ({"details_schema": []}, "details_schema", "JSON object"),
        ({"details_schema": {"type": "elephant"}}, "details_schema", "elephant"),
        ({"details_schema": {"$ref": "https://example.org/a.json"}}, "details_schema", "schema itself"),
        ({"details_schema": {"description": "x" * 8001}}, "details_schema", "8000"),
    ],
)
def test_rules_that_could_not_score_are_refused_by_field(values: dict[str, Any], field: str, says: str) -> None:
    with pytest.raises(Invalid) as refused:
        rules.check(values)
    assert says in " ".join(refused.value.details[field])


def test_a_condition_that_asks_for_what_is_not_there_is_false() -> None:
    event = {"details": {"n": "text", "l": [1, 2]}, "kind": "a", "source": "b", "tier": "pro", "occurred_at": NOON}
    told = {
        "details.missing > 1": False,
        "details.n > 1": False,
        "has(details.n) && tier == 'pro'": True,
        "occurred_at.getDayOfWeek() == 2": True,
        "details.l.exists(x, x == 2)": True,
    }
    assert {asked: expressions.holds(asked, event) for asked in told} == told


def test_a_condition_that_runs_away_is_stopped_and_one_is_asked_by_many_threads(
    session: Session, system: Actor
) -> None:
    [ada] = add_people(session)
    loops = "details.l.map(a, details.l.map(b, details.l.map(c, details.l.map(d, a + b + c + d)))).size() > 0"
    edit(session, system, bonus=[{"label": "Loop", "points": 1, "when": loops}])
    with pytest.raises(DomainError) as refused:
        service.record(session, system, member_id=ada, type="git.commit", details={"l": list(range(40))})
    assert refused.value.code == "SCORING_ERROR"
    assert "git.commit" in refused.value.message
    event = {"details": {"n": 5}, "kind": "a", "source": "b", "tier": "pro", "occurred_at": NOON}
    with ThreadPoolExecutor(16) as threads:
        assert all(threads.map(lambda _: expressions.holds("details.n == 5", event), range(500)))


def test_metadata_that_does_not_fit_is_refused_with_the_place(session: Session, system: Actor) -> None:
    [ada] = add_people(session)
    edit(session, system, details_schema=SCHEMA)
    unfit = [({}, ""), ({"lines": 0}, "/lines"), ({"lines": 1, "tags": ["far too long"]}, "/tags/0")]
    for details, place in unfit:
        with pytest.raises(DomainError) as refused:
            service.record(session, system, member_id=ada, type="git.commit", details=details)
        assert refused.value.code == "INVALID_METADATA"
        assert refused.value.message.startswith(f"details{place} does not fit")
        assert "far too long" not in refused.value.message
    assert service.record(session, system, member_id=ada, type="git.commit", details={"lines": 3}).points == 5


def test_each_edit_is_a_version_that_stays_and_events_keep_theirs(session: Session, system: Actor) -> None:
    [ada] = add_people(session)
    first = service.record(session, system, member_id=ada, type="git.commit", event_key="a")
    row = edit(session, system, base_points=9)
    second = service.record(session, system, member_id=ada, type="git.commit", event_key="b")
    assert (first.type_version, first.points, second.type_version, second.points) == (1, 5, row.version, 9)
    kept = select(TypeVersion.version, TypeVersion.rules["base_points"]).where(TypeVersion.type == "git.commit")
    assert session.execute(kept.order_by(TypeVersion.version)).tuples().all() == [(1, 5), (2, 9)]


def test_the_tier_is_that_of_the_time_of_the_event(session: Session, system: Actor) -> None:
    [ada] = add_people(session)
    members.set_tier(session, ada, "enterprise", since=NOON)
    with frozen(NOON + timedelta(hours=2)):
        late = service.record(session, system, member_id=ada, type="git.merge", occurred_at=NOON - timedelta(hours=1))
        now = service.record(session, system, member_id=ada, type="git.merge", occurred_at=NOON)
    assert (late.points, now.points) == (10, 20)


def test_a_cool_down_looks_both_ways(session: Session, system: Actor) -> None:
    [ada] = add_people(session)
    edit(session, system, cooldown_seconds=3600)

    def at(minutes: int) -> Contribution:
        when = NOON + timedelta(minutes=minutes)
        return service.record(
            session, system, member_id=ada, type="git.commit", event_key=str(minutes), occurred_at=when
        )

    with frozen(NOON + timedelta(hours=5)):
        states = [at(minutes).state for minutes in (0, 59, 60, 240, 181, 119, 180)]
    assert states == ["counted", "rejected", "counted", "counted", "rejected", "rejected", "counted"]
    reasons = set(session.scalars(select(Contribution.reason).where(Contribution.state == "rejected")))
    assert reasons == {"limit:cooldown"}
    assert findings(session) == []


@pytest.mark.parametrize("per", ["hour", "day", "week", "month", "ever"])
def test_every_window_holds_for_late_events_in_their_own_time(session: Session, system: Actor, per: str) -> None:
    [ada] = add_people(session)
    edit(session, system, limits=[{"per": per, "count": 2}])
    with frozen(NOON):
        times = [NOON, NOON, NOON, *[NOON - timedelta(days=29)] * 3]
        made = [
            service.record(session, system, member_id=ada, type="git.commit", event_key=str(n), occurred_at=at)
            for n, at in enumerate(times)
        ]
    expected = ["counted", "counted", "rejected"]
    assert [one.state for one in made] == expected + (["rejected"] * 3 if per == "ever" else expected)
    assert set(session.scalars(select(LimitSlot.used))) == {2}


@pytest.mark.parametrize("bulk", [False, True])
def test_a_clock_that_is_ahead_takes_no_place_of_tomorrow(session: Session, system: Actor, bulk: bool) -> None:
    [ada] = add_people(session)
    edit(session, system, limits=[{"per": "day", "count": 2}])
    midnight = datetime(2026, 3, 11, tzinfo=UTC)

    def at(key: str, when: datetime) -> str:
        row = NewContribution(member_id=ada, type="git.commit", event_key=key, occurred_at=when)
        if bulk:
            [outcome] = service.record_many(session, system, [row], source="system")
            return outcome.code or outcome.outcome
        try:
            told = {"member_id": ada, "type": row.type, "event_key": key, "occurred_at": when}
            found = service.record(session, system, **told)
        except DomainError as problem:
            return problem.code
        return {"counted": "recorded", "rejected": "FREQUENCY_LIMIT"}[found.state]

    with frozen(midnight - timedelta(minutes=2)):
        ahead = [at(f"a{n}", midnight + timedelta(minutes=2)) for n in range(3)]
        assert at("far", midnight + timedelta(minutes=4)) == "OCCURRED_IN_FUTURE"
    assert ahead == ["recorded", "recorded", "FREQUENCY_LIMIT"]
    with frozen(midnight + timedelta(minutes=1)):
        assert [at(f"b{n}", midnight + timedelta(minutes=1)) for n in range(3)] == ahead
        assert at("late", midnight - timedelta(days=31)) == "OCCURRED_TOO_LONG_AGO"
        assert at("yesterday", midnight - timedelta(minutes=3)) == "FREQUENCY_LIMIT"
    assert session.scalar(select(func.max(Contribution.occurred_at))) == midnight + timedelta(minutes=1)
    days = session.execute(select(LimitSlot.window_start, LimitSlot.used).order_by(LimitSlot.window_start)).tuples()
    assert list(days) == [(midnight - timedelta(days=1), 2), (midnight, 2)]
    assert findings(session) == []


def test_limits_hold_under_sixteen_threads_beside_a_bulk_call(
    platform: Any, people: Callable[..., Any], system: Actor
) -> None:
    [ada] = people()
    with platform.unit_of_work(system) as session:
        edit(session, system, limits=[{"per": "day", "count": 5}, {"per": "ever", "count": 7}])

    def one(n: int) -> None:
        with platform.unit_of_work(system) as session:
            if n % 4:
                service.record(session, system, member_id=ada, type="git.commit", event_key=f"k{n}")
            else:
                rows = [NewContribution(member_id=ada, type="git.commit", event_key=f"b{n}.{k}") for k in range(3)]
                service.record_many(session, system, rows)

    with ThreadPoolExecutor(16) as threads:
        list(threads.map(one, range(24)))
    with platform.unit_of_work(system) as session:
        counted = select(func.count()).where(Contribution.state == "counted")
        assert session.scalar(counted) == 5
        assert set(session.scalars(select(LimitSlot.used))) == {5}
        assert findings(session) == []


def test_the_simulator_says_what_recording_would_and_does_nothing(session: Session, system: Actor) -> None:
    [ada] = add_people(session)
    edit(
        session,
        system,
        limits=[{"per": "day", "count": 1}],
        adjustments=[{"label": "Lines", "field": "lines", "points": 2}],
    )
    row = NewContribution(member_id=ada, type="git.commit", details={"lines": 3}, event_key="k")
    foretold = simulator.simulate(session, system, row)
    assert session.scalar(select(func.count()).select_from(Contribution)) == 0
    made = service.record(session, system, member_id=ada, type="git.commit", details={"lines": 3}, event_key="k")
    assert (foretold.outcome, foretold.points, foretold.breakdown) == ("recorded", made.points, made.breakdown)
    assert simulator.simulate(session, system, row).code == "DUPLICATE_EVENT"
    again = simulator.simulate(session, system, NewContribution(member_id=ada, type="git.commit"))
    assert (again.outcome, again.code, again.points) == ("rejected", "FREQUENCY_LIMIT", 5)
    nobody = simulator.simulate(session, system, NewContribution(member_id=new_id(), type="git.commit"))
    assert (nobody.outcome, nobody.code) == ("invalid", "MEMBER_NOT_FOUND")
    assert session.scalar(select(func.count()).select_from(Contribution)) == 1


def test_of_overrides_the_most_particular_holds_while_it_lasts(session: Session, system: Actor) -> None:
    ada, bob = add_people(session, 2)
    span = {"starts_at": NOON, "ends_at": NOON + timedelta(hours=1)}
    corrections.create_override(session, system, {"reason": "Double weekend", "basis_points": 20000, **span})
    corrections.create_override(session, system, {"reason": "Spam", "member_id": bob, "points": 0, **span})
    with frozen(NOON + timedelta(hours=2)):
        points = [
            service.record(
                session, system, member_id=who, type="git.commit", occurred_at=NOON + timedelta(minutes=m)
            ).points
            for who, m in ((ada, -1), (ada, 0), (ada, 59), (ada, 60), (bob, 0))
        ]
    assert points == [5, 10, 10, 5, 0]
    for wrong in ({"basis_points": 1, "points": 1}, {}, {"points": -1}, {"points": 1, "reason": " "}):
        with pytest.raises(Invalid):
            corrections.create_override(session, system, {"reason": "x", **span, **wrong})
    with pytest.raises(Invalid):
        corrections.create_override(session, system, {"reason": "x", "points": 1, "starts_at": NOON, "ends_at": NOON})
    assert session.scalar(select(func.count()).select_from(Override)) == 2


HOOK = """
class Hooks:
    @hookimpl
    def score_adjustments(self, drafts):
        return {one.id: [("Extra", one.details.get("extra", 0))] for one in drafts if "extra" in one.details}
"""


def test_a_plugin_adds_lines_and_its_mistake_refuses(workshop: Any) -> None:
    workshop.plugin("extra", "requires={'contributions': '>=0'}, hooks=Hooks()", HOOK)
    platform = workshop.boot()
    actor = Actor.system("test")
    with platform.unit_of_work(actor) as session:
        [ada] = add_people(session)
        made = service.record(session, actor, member_id=ada, type="git.commit", details={"extra": 3})
        assert made.breakdown == [{"label": "Base", "points": 5}, {"label": "Extra", "points": 3}]
        low = service.record(session, actor, member_id=ada, type="git.commit", details={"extra": -9})
        assert (low.points, low.breakdown[-1]) == (0, {"label": "Never below 0", "points": 4})
        assert (
            simulator.simulate(
                session, actor, NewContribution(member_id=ada, type="git.commit", details={"extra": 3})
            ).breakdown
            == made.breakdown
        )
        with pytest.raises(DomainError) as refused:
            service.record(session, actor, member_id=ada, type="git.commit", details={"extra": "many"})
        assert refused.value.code == "SCORING_ERROR"


def test_each_code_says_what_to_do(session: Session, system: Actor) -> None:
    [ada] = add_people(session)
    service.record(session, system, member_id=ada, type="git.commit", event_key="k")
    told = {}
    with pytest.raises(DuplicateEvent) as duplicate:
        service.record(session, system, member_id=ada, type="git.commit", event_key="k")
    told[duplicate.value.code] = duplicate.value.message
    with pytest.raises(DomainError) as unknown:
        service.record(session, system, member_id=ada, type="git.comit")
    told[unknown.value.code] = unknown.value.message
    edit(session, system, limits=[{"per": "day", "count": 1}])
    edit(session, system, "git.merge", details_schema=SCHEMA)
    with pytest.raises(DomainError) as unfit:
        service.record(session, system, member_id=ada, type="git.merge")
    told[unfit.value.code] = unfit.value.message
    session.execute(
        update(ContributionType).where(ContributionType.code == "git.release").values(bonus=[{"points": 1}])
    )
    with pytest.raises(DomainError) as broken:
        service.record(session, system, member_id=ada, type="git.release")
    told[broken.value.code] = broken.value.message
    service.record(session, system, member_id=ada, type="git.commit", event_key="l")
    outcomes = service.record_many(session, system, [NewContribution(member_id=ada, type="git.commit", event_key="m")])
    assert outcomes[0].error is not None
    told[outcomes[0].error.code] = outcomes[0].error.message
    assert told == {
        "DUPLICATE_EVENT": "This git.commit was already recorded; the first one stands.",
        "INVALID_CONTRIBUTION_TYPE": "There is no enabled contribution type called git.comit.",
        "INVALID_METADATA": 'details does not fit: the type asks for required ["lines"].',
        "SCORING_ERROR": "The rules of the type git.release cannot be used: Field required",
        "FREQUENCY_LIMIT": "The limit of 1 for each day is reached for this member and type.",
    }
