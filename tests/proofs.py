"""Every proof that Guildhall has of its own data, for tests that interrupt or upgrade it."""

from __future__ import annotations

from core.actor import Actor
from core.audit.seal import seal
from core.audit.seal import verify as verify_trail
from core.platform import Platform


def broken(platform: Platform) -> list[str]:
    """What the verify commands find of audit trail, ledger, contributions and badges; empty when all holds."""
    # Only a platform that is loaded has every column of the plugins' models.
    from plugins.badges.verify import verify as verify_badges
    from plugins.contributions.verify import verify as verify_contributions
    from plugins.wallet.verify import verify as verify_ledger

    actor = Actor.system("test")
    with platform.unit_of_work(actor) as session:
        while seal(session):
            pass
    with platform.unit_of_work(actor) as session:
        verdict = verify_trail(session)
    found = [*verdict.problems, *(["the trail has an unsealed tail"] if verdict.unsealed else [])]
    with platform.unit_of_work(actor) as session:
        found += [str(one) for one in verify_badges(session)]
    with platform.unit_of_work(actor) as session:
        found += [str(one) for ones in verify_contributions(session).values() for one in ones]
    with platform.unit_of_work(actor) as session:
        found += [str(one) for one in verify_ledger(session)]
    return found
