"""What the wallet adds to others' pages."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.orm import Session

from guildhall import Actor, Panel, _, hookimpl
from plugins.contributions import Stage

from . import queries
from .queries import shown
from .units import decimal

REWARDS = {"paid": _("Reward paid"), "pending": _("Reward waiting"), "refused": _("Reward refused")}


@hookimpl
def contribution_stages(session: Session, contribution_id: UUID) -> list[Stage]:
    """Rewards that a contribution led to: paid, or waiting or refused and why."""
    stages = []
    for reward in queries.rewards_of(session, contribution_id):
        amount = shown(session, reward.amount, reward.asset)
        paid = reward.state == "paid"
        record = f"transfer/show/{reward.transfer_id}" if paid else f"reward/show/{reward.id}"
        stages.append(
            Stage(
                at=reward.paid_at if paid and reward.paid_at else reward.requested_at,
                stage="reward",
                title=REWARDS[reward.state],
                detail=f"{amount} · {reward.reason}" + (f" · {reward.why}" if reward.why else ""),
                state=reward.state,
                icon="coins",
                url=f"/admin/wallet/{record}",
            )
        )
    return stages


@hookimpl
def member_panels(session: Session, actor: Actor, member_id: UUID) -> list[Panel]:
    """A member's balances and the last entries of the wallet that moved last."""
    if not actor.can("wallet:account:show"):
        return []
    accounts = queries.balances(session, member_id)
    moved = max((one for one in accounts if one.moved_at), key=lambda one: str(one.moved_at), default=None)
    lines = queries.history(session, moved.id, limit=5) if moved else []
    context = {"accounts": accounts, "moved": moved, "lines": lines, "decimal": decimal}
    return [Panel(title=_("Wallet"), template="wallet/panel.html", context=context, order=40)]
