"""What the wallet adds to others' pages."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask_babel import gettext
from sqlalchemy.orm import Session

from guildhall import Actor, Figure, Panel, _, hookimpl
from plugins.contributions import Stage

from . import queries
from .queries import shown
from .units import decimal
from .wording import WHY, account_name, kind_words

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
                detail=f"{amount} · {kind_words(reward.reason)}"
                + (f" · {gettext(WHY.get(reward.why, reward.why))}" if reward.why else ""),
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

    def load() -> dict[str, Any]:
        accounts = queries.balances(session, member_id)
        moved = max((one for one in accounts if one.moved_at), key=lambda one: str(one.moved_at), default=None)
        lines = queries.history(session, moved.id, limit=5) if moved else []
        words = {"decimal": decimal, "words": kind_words, "account_name": account_name}
        return {"accounts": accounts, "moved": moved, "lines": lines, **words}

    return [Panel(title=_("Wallet"), template="wallet/panel.html", load=load, order=40)]


@hookimpl
def member_figures(session: Session, actor: Actor, member_id: UUID) -> list[Figure]:
    """What a member's own accounts hold."""
    if not actor.can("wallet:account:show"):
        return []
    url = f"/admin/members/{member_id}/wallet"
    return [
        Figure(
            label=_("Balance"), hint=one.asset, value=decimal(one.posted, one.scale), icon="wallet", url=url, order=40
        )
        for one in queries.balances(session, member_id)
        if one.purpose == "member"
    ][:4]
