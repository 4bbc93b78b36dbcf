"""Background work of the wallet."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from guildhall import Job, JobContext, Schedule, _

from .service import make_checkpoint, pay_pending, sweep
from .service.rewards import assets_waiting
from .service.shortage import assets_asked, lock_case, withdraw_if_filled


def run_pay_pending(context: JobContext) -> dict[str, Any]:
    """Pay waiting rewards of every asset until its fund is short or nobody waits; cases of filled funds end."""
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
    with context.unit_of_work() as session:
        asked = assets_asked(session)
    for asset in asked:
        with context.unit_of_work() as session:
            if lock_case(session, asset):
                withdraw_if_filled(session, context.actor, asset)
    return {"paid": paid}


def run_sweep_holds(context: JobContext) -> dict[str, Any]:
    """Close expired holds. They reserve nothing since they expired; this tells who waits to hear of it."""
    swept = 0
    while True:
        with context.unit_of_work() as session:
            accounts = sweep(session, context.actor)
        swept += accounts
        context.progress(swept)
        if not accounts:
            return {"accounts": swept}


def run_checkpoint(context: JobContext) -> dict[str, Any]:
    """Note where every chain stands, once a day."""
    with context.unit_of_work() as session:
        made = make_checkpoint(session)
        return {"root": made.root.hex() if made else None}


PAY_PENDING = Job(name="pay_pending", label=_("Pay waiting rewards"), run=run_pay_pending)
EVERY_MINUTE = Schedule(name="pay_pending", job="pay_pending", every=timedelta(minutes=1))
SWEEP_HOLDS = Job(name="sweep_holds", label=_("Close expired holds"), run=run_sweep_holds)
SWEEP_EVERY_MINUTE = Schedule(name="sweep_holds", job="sweep_holds", every=timedelta(minutes=1))
CHECKPOINT = Job(name="checkpoint", label=_("Seal where the ledger stands"), run=run_checkpoint)
CHECKPOINT_HOURLY = Schedule(name="checkpoint", job="checkpoint", every=timedelta(hours=1))
