"""What the bundled actions do, each once for a call."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

from sqlalchemy import func, select

from core.automations import running
from core.clock import now
from core.events.models import Delivery
from core.reviews.models import Review
from core.switches import service as switches
from core.webhooks import service as webhooks
from plugins.badges import service as badges
from plugins.badges.models import Award
from plugins.contributions.models import Contribution
from plugins.notifications import Notification
from plugins.wallet import issue, open_account
from plugins.wallet.models import Account, Transfer
from tests.core.automations.laboratory import SYSTEM, Lab


def again(lab: Lab) -> None:
    """Let every automation take everything once more, as if there were no log of runs."""
    lab.rows("DELETE FROM core_automation_run RETURNING id")
    lab.rows("UPDATE core_delivery SET state = 'pending' WHERE subscriber LIKE 'core.automation.%' RETURNING id")
    lab.drain()


def of(lab: Lab, model: Any, **same: Any) -> list[Any]:
    return list(lab.within(lambda session: session.scalars(select(model).filter_by(**same)).all()))


def test_points_badge_and_notice_come_once_for_a_call(lab: Lab) -> None:
    with lab.platform.unit_of_work(SYSTEM) as session:
        leaf = {"type": "manual"}
        badges.create_badge(session, SYSTEM, {"slug": "helper", "name": "Helper", "criteria": leaf})
    member = lab.member()
    lab.automation(
        {"action": "contributions.record", "values": {"type": "git.commit"}},
        {"action": "badges.award", "values": {"badge": "helper", "reason": "Helped."}},
        {"action": "notifications.notify", "values": {"subject": "=event.word", "text": "Well done", "link": "/me"}},
        {"action": "core.set_tag", "values": {"tag": "helper"}},
    )
    lab.happen(member, word="Thank you")
    lab.drain()
    assert lab.states() == ["done"]
    again(lab)
    assert lab.states() == ["done"]
    [made] = of(lab, Contribution, member_id=member)
    assert (made.type, made.source, made.points) == ("git.commit", "automation", 5)
    [award] = of(lab, Award, member_id=member, source="manual")
    assert (award.reason, award.awarded_by) == ("Helped.", None)
    [notice] = of(lab, Notification, member_id=member, kind="automation")
    assert (notice.params["subject"], notice.url) == ("Thank you", "/me")
    assert lab.rows("SELECT tag FROM core_member_tag") == [("helper",)]
    facts = lab.automation("note", name="Facts", condition={"cel": "member.badges.held.exists(b, b == 'helper')"})
    lab.happen(member)
    lab.drain()
    assert [run.state for run in lab.runs() if run.automation_id == facts] == ["done"]


def test_a_review_and_a_webhook_are_asked_once(lab: Lab) -> None:
    with lab.platform.unit_of_work(SYSTEM) as session:
        hook = webhooks.create(session, SYSTEM, {"url": "https://example.org/hook", "events": ["wallet.*"]})
        hook.rests_until = now() + timedelta(days=1)  # nothing is sent
    lab.automation(
        {"action": "core.open_review", "values": {"title": "Look at this"}},
        {"action": "core.call_webhook", "values": {"webhook": str(hook.id), "note": "=event.word"}},
    )
    lab.happen(lab.member(), word="hello")
    key = webhooks.subscriber_of(hook.id)
    lab.drain()
    [case] = of(lab, Review, kind="core.automation")
    assert (case.title, case.state) == ("Look at this", "open")
    [waiting] = of(lab, Delivery, subscriber=key)
    [(name, payload)] = lab.rows("SELECT name, payload FROM core_event WHERE id = :id", id=waiting.event_id)
    assert (name, payload["note"], payload["event"]) == ("core.automation.called", "hello", "lab.thing.happened")
    lab.within(lambda session: webhooks.set_on(session, SYSTEM, hook.id, False))
    lab.happen(lab.member())
    lab.drain()
    assert [(run.state, run.code) for run in lab.runs()][1] == ("failed", "WEBHOOK_OFF")
    assert len(of(lab, Review, kind="core.automation")) == 1


def test_the_fund_is_paid_from_up_to_the_cap_and_once_under_sixteen_threads(lab: Lab) -> None:
    with lab.platform.unit_of_work(SYSTEM) as session:
        fund = open_account(session, asset="POINTS", purpose="rewards")
        issue(session, SYSTEM, destination=fund, amount=100_000, reason="For the test")
    before = lab.within(lambda session: session.get_one(Account, fund).posted)
    pay = {"asset": "POINTS", "amount": "=event.amount", "cap": 50, "reason": "A bonus"}
    lab.automation({"action": "wallet.pay", "values": pay})
    members = [lab.member() for _number in range(16)]
    for member in members:
        lab.happen(member, amount=7)
    with ThreadPoolExecutor(16) as threads:
        list(threads.map(lambda _: lab.drain(), range(16)))
    paid = lab.within(
        lambda session: session.scalar(select(func.sum(Account.posted)).where(Account.member_id.in_(members)))
    )
    assert paid == 49
    assert before - lab.within(lambda session: session.get_one(Account, fund).posted) == 49
    assert sorted(run.code for run in lab.runs()) == [""] * 7 + ["AUTOMATION_CAP_REACHED"] * 9
    assert len(of(lab, Transfer, kind="automation")) >= 7
    failed = next(run for run in lab.runs() if run.code)
    assert lab.within(lambda session: running.run_again(session, SYSTEM, failed.id)).code == "AUTOMATION_CAP_REACHED"


def test_a_switch_that_stops_rewards_lets_payments_wait(lab: Lab) -> None:
    pay = {"asset": "POINTS", "amount": 1, "cap": 50, "reason": "A bonus"}
    lab.automation({"action": "wallet.pay", "values": pay})
    with lab.platform.unit_of_work(SYSTEM) as session:
        fund = open_account(session, asset="POINTS", purpose="rewards")
        issue(session, SYSTEM, destination=fund, amount=10, reason="For the test")
    lab.within(lambda session: switches.pull(session, SYSTEM, "wallet.rewards", reason="audit"))
    lab.happen(lab.member())
    lab.drain()
    assert lab.runs() == []
    lab.within(lambda session: switches.restore(session, SYSTEM, "wallet.rewards"))
    lab.rows("UPDATE core_delivery SET due_at = now() WHERE state = 'pending' RETURNING id")
    lab.drain()
    assert lab.states() == ["done"]
