"""What is kept of requests, forms and sessions goes when its time is over; what is still going on never does."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from pydantic import ValidationError
from sqlalchemy import func, select, text

from core import settings
from core.actor import Actor
from core.clock import frozen, now
from core.ids import new_id
from core.jobs.models import JobRow
from core.jobs.queue import enqueue
from core.jobs.run import run_next
from core.members import old_sessions
from core.members.models import Impersonation, MemberSession, RefreshToken
from core.platform import Platform
from core.platform_settings import PlatformSettings
from core.rest import retention
from core.rest.models import IdempotencyRow
from tests.core.doors import Person
from tests.core.rest.test_idempotency_key import label, stamp, stamps, turnstile

__all__ = ["label", "turnstile"]
SYSTEM, DAY = Actor.system("test"), timedelta(days=1)


def sweep(site: Platform, job: str, **later: float) -> dict[str, Any]:
    """Do a job as it would be done so much later; what it told."""
    with site.unit_of_work(SYSTEM) as session:
        key = enqueue(session, SYSTEM, f"core.{job}").id
    with frozen(now() + timedelta(**later)):
        while run_next(site.database):
            pass
    with site.unit_of_work() as session:
        told: dict[str, Any] = session.get_one(JobRow, key).result or {}
        return told


def test_keys_go_when_their_days_are_over_however_many_they_are(
    site: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "CHUNK", 3)
    scope = f"{new_id()}:POST /x"
    ages = [DAY * 31] * 7 + [DAY * 29] * 2
    with site.unit_of_work(SYSTEM) as session:
        for number, age in enumerate(ages):
            about = {"fingerprint": b"", "status": 201, "body": {}, "created_at": now() - age}
            session.add(IdempotencyRow(scope=scope, key=str(number), **about))
    left = select(IdempotencyRow.key).where(IdempotencyRow.scope == scope).order_by(IdempotencyRow.key)
    assert sweep(site, retention.JOB)["keys"] >= 7
    with site.unit_of_work() as session:
        assert session.scalars(left).all() == ["7", "8"]
    assert sweep(site, retention.JOB)["keys"] == 0
    with pytest.raises(ValidationError):
        PlatformSettings(idempotency_days=0)


def test_a_request_that_is_still_running_keeps_its_key(
    site: Platform, people: Callable[..., Person], label: str, turnstile: Any
) -> None:
    user = people("User")
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(stamp, user, label, label, "held")
        assert turnstile.inside.wait(20)
        sweep(site, retention.JOB, days=31)
        assert stamp(user, label, label, "held").status_code == 409
        turnstile.out.set()
        assert first.result().status_code == 201
    assert stamp(user, label, label, "held").headers["Idempotent-Replayed"] == "true"
    assert stamps(site, label) == 1


def test_sessions_go_long_after_their_time_unless_somebody_acted_as_another(
    site: Platform, people: Callable[..., Person]
) -> None:
    person = people("User", browser=True)
    kinds = ("over", "acted", "lately")
    keys = {kind: new_id() for kind in kinds}
    with site.unit_of_work(SYSTEM) as session:
        for kind, key in keys.items():
            over = now() - DAY * (89 if kind == "lately" else 91)
            about = {"member_id": UUID(person.id), "kind": "token", "token_hash": key.bytes * 2}
            session.add(MemberSession(id=key, **about, expires_at=over))
            session.flush()
            session.add(RefreshToken(token_hash=key.bytes * 2, session_id=key))
        who = {"by_member_id": UUID(person.id), "member_id": UUID(person.id), "reason": "asked", "may_write": False}
        session.add(Impersonation(**who, session_id=keys["acted"], expires_at=now(), ended_at=now()))
    with site.unit_of_work(SYSTEM) as session:
        settings.write(session, SYSTEM, PlatformSettings, {"session_days": 0})
    assert sweep(site, old_sessions.JOB) == {"sessions": 0}  # kept for ever
    with site.unit_of_work(SYSTEM) as session:
        settings.write(session, SYSTEM, PlatformSettings, {"session_days": 90})
    assert sweep(site, old_sessions.JOB)["sessions"] >= 1
    with site.unit_of_work() as session:
        tokens = select(RefreshToken.session_id).where(RefreshToken.session_id.in_(keys.values()))
        assert set(session.scalars(tokens)) == {keys["acted"], keys["lately"]}
        living = select(func.count()).select_from(MemberSession).where(MemberSession.member_id == UUID(person.id))
        assert session.scalar(living) == 3  # those two, and the one that is open


@pytest.mark.parametrize(
    ("statement", "index"),
    [
        (retention.KEYS, "ix_core_idempotency_created_at"),
        (retention.FORMS, "ix_core_idempotency_forms"),
        (old_sessions.SESSIONS, "ix_core_session_expires_at"),
    ],
    ids=["keys", "forms", "sessions"],
)
def test_what_is_old_is_found_by_an_index(site: Platform, statement: Any, index: str) -> None:
    with site.unit_of_work(SYSTEM) as session:
        session.execute(text("SET LOCAL enable_seqscan = off"))
        session.execute(text("SET LOCAL enable_sort = off"))
        session.execute(text("SET LOCAL plan_cache_mode = force_generic_plan"))
        told = session.execute(text(f"EXPLAIN {statement.text}"), {"before": now(), "most": 1000}).scalars()
        assert any(index in line for line in told)
