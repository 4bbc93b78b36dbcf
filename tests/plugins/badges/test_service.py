"""By hand: badges written, given, taken away, explained and previewed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.orm import Session

from core.audit.models import AuditRow
from core.events.models import EventRow
from guildhall import Actor, Invalid, Member, NotFound, collect, new_id, now
from guildhall import DomainError as Refused
from plugins.badges import Award, queries, service
from plugins.badges.catalogue import current
from plugins.badges.errors import InvalidCriteria, PreviewTooSlow

from .conftest import add_badge, add_people, count, held, points, slugs
from .test_evaluator import record
from .test_recalculation import give_points


def give(session: Session, actor: Actor, slug: str, member_id: UUID, reason: str = "for the talk") -> Award:
    return service.award(session, actor, slug=slug, member_id=member_id, reason=reason)


def test_a_badge_given_by_hand_is_audited_published_and_cascades(session: Session, system: Actor) -> None:
    add_badge(session, system, "on-top", held("winner"))
    [member_id] = add_people(session)
    award = give(session, system, "winner", member_id)
    assert (award.source, award.reason, award.revoked_at) == ("manual", "for the talk", None)
    assert slugs(session, member_id) == {"winner", "on-top"}
    session.flush()
    row = session.scalars(select(AuditRow).where(AuditRow.action == "badges.award.given")).one()
    assert (row.subject_id, row.reason) == (str(award.id), "for the talk")
    said = session.scalars(select(EventRow.payload).where(EventRow.name == "badges.badge.awarded")).all()
    assert [one["quiet"] for one in said] == [False, False]


def test_removing_keeps_the_row_and_giving_again_restores_it(session: Session, system: Actor) -> None:
    [member_id] = add_people(session)
    award = give(session, system, "winner", member_id)
    removed = service.revoke(session, system, slug="winner", member_id=member_id, reason="wrong person")
    assert (removed.id, removed.revoke_reason) == (award.id, "wrong person")
    assert removed.revoked_at
    assert not slugs(session, member_id)
    again = give(session, system, "winner", member_id, "it was right after all")
    assert (again.id, again.revoked_at, again.reason) == (award.id, None, "it was right after all")
    assert slugs(session, member_id) == {"winner"}
    session.flush()
    acts = session.scalars(
        select(AuditRow.action).where(AuditRow.subject_id == str(award.id)).order_by(AuditRow.id)
    ).all()
    assert acts == ["badges.award.given", "badges.award.revoked", "badges.award.restored"]


def refusal(act: Any, *arguments: Any, **named: Any) -> str:
    with pytest.raises(Refused) as refused:
        act(*arguments, **named)
    assert refused.value.message  # the sentence's parameters are all there
    return refused.value.code


def test_every_refusal_has_its_code(session: Session, system: Actor) -> None:
    add_badge(session, system, "one", {"type": "manual"}, supply_limit=1)
    add_badge(session, system, "over", points(1), active_until=now() - timedelta(seconds=1))
    add_badge(session, system, "off", points(1), enabled=False)
    first, second, gone = add_people(session, 3)
    session.execute(update(Member).where(Member.id == gone).values(status="closed"))
    give(session, system, "one", first)
    assert refusal(give, session, system, "nothing", first) == "BADGE_NOT_FOUND"
    assert refusal(give, session, system, "one", first) == "BADGE_ALREADY_HELD"
    assert refusal(give, session, system, "one", second) == "USER_NOT_ELIGIBLE"
    assert refusal(give, session, system, "over", second) == "USER_NOT_ELIGIBLE"
    assert refusal(give, session, system, "off", second) == "USER_NOT_ELIGIBLE"
    assert refusal(give, session, system, "winner", gone) == "USER_NOT_ELIGIBLE"
    assert refusal(give, session, system, "winner", new_id()) == "NOT_FOUND"
    assert refusal(give, session, system, "winner", first, "  ") == "INVALID"
    assert refusal(give, session, system, "winner", first, "x" * 501) == "INVALID"
    remove = {"slug": "winner", "member_id": second, "reason": "why"}
    assert refusal(service.revoke, session, system, **remove) == "BADGE_NOT_HELD"
    assert refusal(service.revoke, session, system, **{**remove, "slug": "nothing"}) == "BADGE_NOT_FOUND"
    assert refusal(service.revoke, session, system, **{**remove, "member_id": new_id()}) == "NOT_FOUND"
    nobody = Actor(kind="member", name="m", member_id=first)
    assert refusal(give, session, nobody, "winner", second) == "PERMISSION_MISSING"
    assert refusal(service.revoke, session, nobody, **remove) == "PERMISSION_MISSING"


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"slug": "Not A Slug"}, "slug"),
        ({"slug": "x" * 81}, "slug"),
        ({"level": 0}, "level"),
        ({"level": 6}, "level"),
        ({"visibility": "loud"}, "visibility"),
        ({"supply_limit": 0}, "supply_limit"),
        ({"active_from": now(), "active_until": now() - timedelta(days=1)}, "active_until"),
    ],
)
def test_bad_fields_are_refused_by_name(session: Session, system: Actor, values: dict[str, Any], field: str) -> None:
    good = {"slug": "good", "name": "Good", "criteria": points(1)}
    with pytest.raises(Invalid) as refused:
        service.create_badge(session, system, {**good, **values})
    assert list(refused.value.details) == [field]


def test_a_slug_stays(session: Session, system: Actor) -> None:
    badge = add_badge(session, system, "stays", points(1))
    with pytest.raises(Invalid) as refused:
        service.update_badge(session, system, badge, {"slug": "moves"})
    assert list(refused.value.details) == ["slug"]


def test_what_criteria_name_must_exist_and_no_badge_may_need_itself(session: Session, system: Actor) -> None:
    def place(criteria: Any, slug: str = "") -> str:
        with pytest.raises(InvalidCriteria) as refused:
            service.check_criteria(session, criteria, slug=slug)
        return str(refused.value.params["place"])

    assert place({"all": [points(1), count("no.such.type")]}) == "$.all[1]"
    assert place({"any": [held("no-such-badge")]}) == "$.any[0]"
    first = add_badge(session, system, "first", points(1))
    add_badge(session, system, "second", held("first"))
    add_badge(session, system, "third", {"not": held("second")})
    with pytest.raises(InvalidCriteria) as refused:
        service.update_badge(session, system, first, {"criteria": {"all": [points(1), held("third")]}})
    assert "need itself" in refused.value.message
    assert place({"all": [points(1), held("first")]}, slug="first") == "$.all[1]"


def test_only_new_criteria_are_a_new_version(session: Session, system: Actor) -> None:
    badge = add_badge(session, system, "edited", points(1))
    service.update_badge(session, system, badge, {"name": "Other", "criteria": points(1)})
    assert (badge.version, badge.revision) == (1, 2)
    service.update_badge(session, system, badge, {"criteria": points(2)})
    assert (badge.version, badge.revision) == (2, 3)


def test_explain_tells_held_removed_and_open_with_numbers(session: Session, system: Actor) -> None:
    from plugins.badges import handlers

    [member_id] = add_people(session)
    handlers.evaluate(session, system, record(session, system, member_id, "challenge.win"))
    won = queries.explain(session, "winner", member_id)
    assert (won.state, won.progress) == ("held", 10_000)
    assert won.award
    assert won.award.contribution_id
    half = queries.explain(session, "points-500", member_id)
    assert half.tree
    assert half.tree.leaf
    assert (half.state, half.tree.leaf.actual, half.tree.leaf.remaining, half.progress) == ("open", 100, 400, 2_000)
    service.revoke(session, system, slug="winner", member_id=member_id, reason="bought")
    gone = queries.explain(session, "winner", member_id)
    assert (gone.state, gone.award and gone.award.revoke_reason) == ("removed", "bought")
    assert gone.tree
    assert gone.tree.ok
    assert refusal(queries.explain, session, "nothing", member_id) == "BADGE_NOT_FOUND"
    with pytest.raises(NotFound):
        queries.explain(session, "winner", new_id())


def test_the_nearest_badges_are_open_public_and_begun(session: Session, system: Actor) -> None:
    [member_id] = add_people(session)
    give_points(session, [member_id], 450)
    add_badge(session, system, "veiled", points(451), visibility="hidden")
    found = queries.nearest(session, member_id)
    assert [one.badge.slug for one in found][:1] == ["points-100"]  # met, not awarded yet
    assert "points-500" in {one.badge.slug for one in found}
    assert "veiled" not in {one.badge.slug for one in found}
    everything = {one.badge.slug for one in queries.nearest(session, member_id, most=99)}
    assert "elite-creator" in everything
    add_badge(session, system, "past", {"all": [points(1), {"type": "member.before", "date": "2000-01-01"}]})
    add_badge(session, system, "or-past", {"any": [points(460), {"type": "member.before", "date": "2000-01-01"}]})
    reachable = {one.badge.slug for one in queries.nearest(session, member_id, most=99)} - everything
    assert reachable == {"or-past"}
    assert all(one.progress for one in found)


def test_preview_counts_and_writes_nothing(session: Session, system: Actor) -> None:
    members = add_people(session, 12)
    give_points(session, members, 5)
    give(session, system, "winner", members[0])
    found = queries.preview(session, points(5), slug="winner")
    assert (found.count, found.already, len(found.sample)) == (12, 1, 10)
    assert not slugs(session, members[1])
    add_people(session)  # the session can write again
    assert session.scalar(text("SHOW statement_timeout")) == "0"
    with pytest.raises(InvalidCriteria):
        queries.preview(session, {"all": []})


def test_a_preview_that_takes_too_long_is_stopped(session: Session, system: Actor, monkeypatch: Any) -> None:
    from plugins.badges.leaves import Manual

    add_people(session)
    monkeypatch.setattr(Manual, "sql", lambda self, frame: func.pg_sleep(30).is_(None))
    monkeypatch.setattr(queries, "read_settings", lambda *_: type("S", (), {"preview_seconds": 1}))
    with pytest.raises(PreviewTooSlow) as refused:
        queries.preview(session, {"type": "manual"})
    assert refused.value.code == "PREVIEW_TIMEOUT"
    add_people(session)


def test_the_timeline_shows_what_a_contribution_tipped(session: Session, system: Actor) -> None:
    from plugins.badges import handlers

    [member_id] = add_people(session)
    event = record(session, system, member_id, "challenge.win")
    handlers.evaluate(session, system, event)
    told = dict(collect(session, "contribution_stages", contribution_id=event.payload.contribution_id))["badges"]
    assert {stage.title for stage in told} == {"Winner", "Contributor", "Hundred"}
    assert {(stage.stage, stage.state) for stage in told} == {("badge", "earned")}


def test_a_removed_badge_does_not_stop_seeds_or_the_catalogue(session: Session, system: Actor) -> None:
    from plugins.badges.seeds import SEEDS, seed

    before = len(current(session).badges)
    service.update_badge(session, system, service.find(session, "winner"), {"name": "Champion", "enabled": False})
    seed(session, system)
    assert service.find(session, "winner").name == "Champion"
    assert len(current(session).badges) == before - 1 == len(SEEDS) - 1
