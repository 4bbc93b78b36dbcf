"""Background work of the wallet."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from guildhall import Job, JobContext, Schedule, _

from .service import pay_pending
from .service.rewards import assets_waiting


def run_pay_pending(context: JobContext) -> dict[str, Any]:
    """Pay waiting rewards of every asset until its fund is short or nobody waits."""
    paid = 0
    with context.unit_of_work() as session:
        assets = assets_waiting(session)
    for asset in assets:
        while True:
            with context.unit_of_work() as session:
                now_paid = pay_pending(session, context.actor, assets=[asset])
            paid += now_paid
            context.progress(paid)
            if not now_paid:
                break
    return {"paid": paid}


PAY_PENDING = Job(name="pay_pending", label=_("Pay waiting rewards"), run=run_pay_pending)
EVERY_MINUTE = Schedule(name="pay_pending", job="pay_pending", every=timedelta(minutes=1))
