"""What is built on a member's past still adds up when the member is gone: ledger, contributions, badges, trail."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import func, select

from core.actor import Actor
from core.clock import now
from core.events.deliver import Deliverer
from core.members import profiles
from core.members import service as members
from core.platform import Platform
from core.privacy import erase
from core.privacy.models import Erasure
from tests.proofs import broken

SYSTEM = Actor.system("test")


def test_every_proof_holds_after_a_member_with_a_past_was_erased(platform: Platform) -> None:
    from plugins.badges import Award
    from plugins.contributions import Contribution
    from plugins.contributions.service import record as contribute
    from plugins.wallet import issue, open_account, transfer

    with platform.unit_of_work(SYSTEM) as session:
        ada, bo = (
            members.register(session, SYSTEM, email=f"{name}@example.org", password=None, display_name=name).id
            for name in ("ada", "bo")
        )
        profiles.change_for(session, SYSTEM, session.get_one(members.Member, ada), {"tier": "pro"})
    with platform.unit_of_work(SYSTEM) as session:
        for number in range(24):
            for one in (ada, bo):
                happened = now() - timedelta(days=number)
                known = {"event_key": f"{one}:{number}", "occurred_at": happened}
                contribute(session, SYSTEM, member_id=one, type="git.commit", **known)
        mine, theirs = (open_account(session, asset="POINTS", member_id=one) for one in (ada, bo))
        issue(session, SYSTEM, destination=mine, amount=90, reason="a welcome")
        moved = {"amount": 30, "asset": "POINTS", "kind": "transfer", "reason": "a present"}
        transfer(session, SYSTEM, source=mine, destination=theirs, **moved)
    Deliverer(platform.database).drain()
    assert broken(platform) == []
    with platform.unit_of_work(SYSTEM) as session:
        row = Erasure(member_id=ada, due_at=now())
        session.add(row)
        session.flush()
        awards = select(func.count()).select_from(Award).where(Award.member_id == ada)
        deeds = select(func.count()).select_from(Contribution).where(Contribution.member_id == ada)
        before = session.scalar(awards), session.scalar(deeds)
        assert before[0] and before[1] == 24
        erase.erase(session, SYSTEM, row.id)
    Deliverer(platform.database).drain()
    with platform.unit_of_work(SYSTEM) as session:
        assert erase.is_erased(session, ada)
        assert (session.scalar(awards), session.scalar(deeds)) == before
    assert broken(platform) == []
