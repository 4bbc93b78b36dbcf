"""The demo is the same community every time, loaded once, with the shapes of a real one."""

from __future__ import annotations

import time
import unicodedata
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.access import roles_of
from core.clock import frozen
from core.db import migrate
from core.events.deliver import Deliverer
from core.members import impersonation, sessions
from core.members.models import Credential, TierChange
from core.members.service import register
from core.platform import Platform
from core.settings import write
from guildhall import Actor, Member
from plugins import wallet
from plugins.contributions import Contribution
from plugins.demo import load
from plugins.demo.commands import group
from plugins.demo.history import CHALLENGES, DAYS, EVENTS, Deed, deeds
from plugins.demo.hooks import first_start
from plugins.demo.models import Load
from plugins.demo.people import ACCOUNTS, DOMAIN, PEOPLE, SUGGESTIONS, TIERS
from plugins.demo.settings import DemoSettings
from plugins.suggestions.plugin import Suggestion
from plugins.wallet.models import Account

END = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def history() -> list[Deed]:
    return list(deeds(END))


def size(session: Session, *models: Any) -> list[int]:
    return [session.scalar(select(func.count()).select_from(model)) or 0 for model in models]


def test_it_is_loaded_once_and_fast(platform: Platform) -> None:
    seen: dict[str, int] = {}
    began = time.monotonic()
    loaded = load(platform, lambda what, done, total: seen.update({what: done}))
    assert time.monotonic() - began < 15
    assert loaded is not None
    assert (loaded.members, loaded.contributions, loaded.suggestions) == (60, EVENTS, 12)
    assert seen == {"members": 60, "contributions": EVENTS, "suggestions": 12}
    with platform.unit_of_work() as session:
        before = size(session, Member, Contribution, Suggestion, TierChange, Load)
        assert before == [60, EVENTS, 12, sum(map(len, TIERS.values())), 1]
        fund = session.get_one(Account, wallet.open_account(session, asset="POINTS", purpose="rewards"))
        assert fund.posted == 50_000
        assert session.scalar(select(func.count()).where(Member.email.is_(None))) == 6
        assert session.scalar(select(func.min(Member.joined_at))) < session.scalar(
            select(func.min(Contribution.occurred_at))
        )
    with frozen(datetime.now(UTC) + timedelta(days=3)):
        assert load(platform) is None
    with platform.unit_of_work() as session:
        assert size(session, Member, Contribution, Suggestion, TierChange, Load) == before


def test_what_an_admin_removed_does_not_come_back(platform: Platform) -> None:
    load(platform)
    with platform.unit_of_work() as session:
        session.delete(session.scalars(select(Suggestion)).first())
    assert load(platform) is None
    with platform.unit_of_work() as session:
        assert size(session, Suggestion) == [11]


def test_the_worker_makes_the_rest_and_mails_nobody(platform: Platform) -> None:
    from plugins.badges import Award
    from plugins.notifications import Notification

    load(platform)
    Deliverer(platform.database).drain(seconds=120)
    with platform.unit_of_work() as session:
        awards, notices = size(session, Award, Notification)
        assert awards > 60
        assert notices > 100
        fund = session.get_one(Account, wallet.open_account(session, asset="POINTS", purpose="rewards"))
        assert 0 < fund.posted < 50_000
        assert session.scalar(select(func.count()).where(Notification.mailed_at.is_not(None))) == 0


def test_its_end_is_a_setting(platform: Platform, system: Actor) -> None:
    with platform.unit_of_work(system) as session:
        write(session, system, DemoSettings, {"end_date": "2025-06-30"})
    platform.registry.cache.looked_at = 0.0
    load(platform)
    with platform.unit_of_work() as session:
        latest = session.scalar(select(func.max(Contribution.occurred_at)))
        assert latest is not None
        assert latest.date().isoformat() in {"2025-06-29", "2025-06-30"}


@pytest.mark.parametrize("wanted", [True, False])
def test_a_start_loads_it_where_it_is_asked_for(platform: Platform, wanted: bool) -> None:
    platform.config = platform.config.model_copy(update={"demo": wanted})
    with platform.unit_of_work() as session:
        assert (first_start(session, platform) is not None) is wanted
    with platform.unit_of_work() as session:
        assert first_start(session, platform) is None
        assert size(session, Load) == [int(wanted)]


def test_the_command_makes_accounts_that_can_sign_in(client: Any, platform: Platform) -> None:
    first = CliRunner().invoke(group, ["load", "--accounts"], obj=platform)
    assert first.exit_code == 0, first.output
    assert "3000 contributions" in " ".join(first.output.split())
    lines = [line.split() for line in first.output.splitlines() if "password:" in line]
    assert {line[0] for line in lines} == {"moderator@example.org", "member@example.org"}
    for line in lines:
        answer = client.post("/api/v1/core/auth/login", {"email": line[0], "password": line[2]})
        assert answer.status_code == 200
    again = CliRunner().invoke(group, ["load", "--accounts"], obj=platform)
    assert "loaded already" in again.output
    assert "password:" not in again.output
    assert again.output.count("exists already") == 2


def test_it_is_drawn_the_same_every_time(history: list[Deed]) -> None:
    assert list(deeds(END)) == history
    later = list(deeds(END + timedelta(days=11)))
    assert [(one.person, one.type) for one in later] == [(one.person, one.type) for one in history]


def test_a_few_do_most_of_it(history: list[Deed]) -> None:
    counts = [count for _person, count in Counter(one.person for one in history).most_common()]
    assert sum(counts[:6]) > EVENTS * 0.4
    assert len(counts) == 60
    assert counts[-1] < 12


def test_time_has_the_shapes_of_a_community(history: list[Deed]) -> None:
    assert all(END - timedelta(days=DAYS + 2) < one.at <= END for one in history)
    days = Counter(one.at.weekday() for one in history)
    assert days[5] + days[6] < 0.6 * (days[1] + days[2])
    months = Counter(one.at.month for one in history if one.at.year == 2026)
    assert months[8] < 0.7 * months[7]
    busiest = CHALLENGES[-1][1]
    back = Counter((END.date() - one.at.date()).days for one in history)
    burst = sum(back[day] for day in range(busiest - 8, busiest + 1))
    before = sum(back[day] for day in range(busiest + 1, busiest + 10))
    assert burst > 1.5 * before


def test_many_types_and_nobody_enters_a_challenge_twice(history: list[Deed]) -> None:
    assert len({one.type for one in history}) >= 8
    entries = [(one.person, one.type, one.challenge_id) for one in history if one.challenge_id]
    assert len(entries) == len(set(entries)) > 20


def test_people_write_their_names_in_many_scripts() -> None:
    scripts = {unicodedata.name(person.name[0]).split()[0] for person in PEOPLE}
    assert {"LATIN", "ARABIC", "HEBREW", "CJK", "HANGUL", "GREEK", "CYRILLIC", "THAI", "DEVANAGARI"} <= scripts
    assert any(unicodedata.bidirectional(person.name[0]) in ("R", "AL") for person in PEOPLE)
    assert len({person.name for person in PEOPLE}) == len(PEOPLE) == 60
    addresses = [person.address for person in PEOPLE if person.address]
    assert len(set(addresses)) == len(addresses) == 54
    assert {*TIERS, *(row[0] for row in SUGGESTIONS)} <= set(addresses)
    assert DOMAIN.endswith(".invalid")


def test_the_migration_agrees_with_the_model(platform: Platform) -> None:
    assert migrate.differences(platform.database.url, platform.branches, "demo") == []


def test_an_admin_can_act_as_three_of_them_and_nobody_signs_in(platform: Platform) -> None:
    load(platform)
    with platform.unit_of_work() as session:
        given = dict(
            session.execute(select(Member.email, Member.user_id).where(Member.user_id.is_not(None))).tuples().all()
        )
        assert {email: roles_of(session, user_id or 0) for email, user_id in given.items()} == {
            f"{address}@{DOMAIN}": tuple(sorted(roles)) for address, roles in ACCOUNTS.items()
        }
        assert size(session, Credential) == [0]
        root = register(
            session, Actor.system("test"), email="a@b.org", password=None, display_name="A", roles=("Admin",)
        )
        row, _token = sessions.start(session, root, kind="cookie", ip=None, device=None)
        actor = sessions.actor_of(session, session_id=row.id)
        zoe = session.scalar(select(Member.id).where(Member.email == f"zoe.vandenberg@{DOMAIN}"))
        impersonation.start(session, actor, zoe, reason="Looking around")
        assert sessions.actor_of(session, session_id=row.id).member_id == zoe
