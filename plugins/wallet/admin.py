"""Pages and widgets: the ledger at a glance, one account, the reward fund."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from flask import request
from flask_babel import gettext
from sqlalchemy import select
from sqlalchemy.orm import Session

from guildhall import Actor, DomainError, Invalid, Review, ReviewKind, Widget, _, new_id
from guildhall.web import PageBlueprint, flash, redirect, render

from . import queries, service
from . import trace as tracing
from .models import STATES, Asset, Transfer
from .service import decide_shortage
from .service.adjustments import decide_adjustment
from .units import decimal, units
from .verify import labels, verify

LINES = 50
LEDGER = "/admin/wallet/ledger"

pages = PageBlueprint("wallet")


@pages.get("/ledger", permission="wallet:account:list")
def ledger(session: Session, actor: Actor) -> Any:
    """Where every unit is, and the accounts of the house."""
    return _ledger(session, actor)


@pages.get("/ledger/verify", permission="wallet:account:list")
def prove(session: Session, actor: Actor) -> Any:
    """The ledger with the result of its proof; only reads."""
    found = {finding.check: finding for finding in verify(session)}
    results = [{"name": name, "label": label, "finding": found.get(name)} for name, label in labels().items()]
    return _ledger(session, actor, results=results, broken=len(found))


def _ledger(session: Session, actor: Actor, **more: Any) -> Any:
    assets = queries.circulation(session)
    return render(
        "wallet/ledger.html",
        assets=assets,
        house=queries.house(session),
        decimal=decimal,
        funds=[queries.reward_fund(session, row.asset) for row in assets],
        scales={row.asset: row.scale for row in assets},
        may_fund=actor.can("wallet:fund:create"),
        **{"results": None, "broken": 0, **more},
    )


@pages.get("/accounts/<uuid:account_id>", permission="wallet:account:show")
def account(session: Session, actor: Actor, account_id: UUID) -> Any:
    """One account: its figures and what came and went."""
    found = queries.account(session, account_id)
    given = request.args.get("before", "")
    before = int(given) if given.isascii() and given.isdigit() and len(given) < 19 else None
    lines = queries.history(session, account_id, before=before, limit=LINES + 1)
    older = f"?before={lines[LINES - 1].version}" if len(lines) > LINES else ""
    return render(
        "wallet/account.html",
        account=found,
        lines=lines[:LINES],
        older=older,
        first=before is None,
        decimal=decimal,
        may_change=actor.can("wallet:account:update"),
        may_adjust=actor.can("wallet:adjustment:create"),
        bare=lambda amount: decimal(amount, found.scale).replace(",", ""),
    )


@pages.post("/accounts/<uuid:account_id>/state", permission="wallet:account:update")
def change_state(session: Session, actor: Actor, account_id: UUID) -> Any:
    """Freeze, unfreeze or close an account; the reason is kept."""
    state = request.form.get("state", "")
    if state not in STATES:
        raise Invalid({"state": [_("Choose active, frozen or closed.")]})
    try:
        with session.begin_nested():
            reason = request.form.get("reason", "")
            service.set_state(session, actor, account_id=account_id, state=state, reason=reason)
    except DomainError as problem:
        flash(problem.sentence, "danger", **problem.params)
    else:
        flash(_("The account is now {state}."), state=gettext(state))
    return redirect(f"/admin/wallet/accounts/{account_id}")


@pages.post("/accounts/<uuid:account_id>/adjust", permission="wallet:adjustment:create")
def adjust(session: Session, actor: Actor, account_id: UUID) -> Any:
    """Propose to add units to an account, or to take them; another person decides."""
    given = request.form.get("amount", "").strip()
    try:
        with session.begin_nested():
            scale = queries.account(session, account_id).scale
            amount = units(given.removeprefix("-"), scale) * (-1 if given.startswith("-") else 1)
            reason = request.form.get("reason", "")
            service.propose_adjustment(session, actor, account_id=account_id, amount=amount, reason=reason)
    except DomainError as problem:
        flash(problem.sentence, "danger", **problem.params)
    else:
        flash(_("Proposed. It is posted when another person approves it in the review inbox."))
    return redirect(f"/admin/wallet/accounts/{account_id}")


@pages.post("/accounts/<uuid:account_id>/limits", permission="wallet:account:update")
def change_limits(session: Session, actor: Actor, account_id: UUID) -> Any:
    """Set the daily limit and the overdraft of an account; the reason is kept."""
    given = {name: request.form.get(name, "").strip() for name in ("daily_limit", "overdraft", "reason")}
    try:
        with session.begin_nested():
            scale = queries.account(session, account_id).scale
            daily = units(given["daily_limit"], scale) if given["daily_limit"] else None
            overdraft = units(given["overdraft"] or "0", scale)
            service.set_limits(
                session, actor, account_id=account_id, daily_limit=daily, overdraft=overdraft, reason=given["reason"]
            )
    except DomainError as problem:
        flash(problem.sentence, "danger", **problem.params)
    else:
        flash(_("The limits of this account are set."))
    return redirect(f"/admin/wallet/accounts/{account_id}")


@pages.get("/fund", permission="wallet:fund:create")
def fund_form(session: Session, actor: Actor) -> Any:
    """The form that fills a reward fund."""
    return _fund_form(session, {"asset": request.args.get("asset", "POINTS"), "reference": str(new_id())})


@pages.post("/fund", permission="wallet:fund:create")
def fund(session: Session, actor: Actor) -> Any:
    """Issue units into the reward fund. The form's own reference makes sending it twice one funding."""
    given = request.form
    try:
        with session.begin_nested():
            asset = session.get(Asset, given.get("asset", ""))
            if asset is None:
                raise Invalid({"asset": [_("Choose an asset.")]})
            reference = f"fund:{UUID(given.get('reference', ''))}"
            amount = units(given.get("amount", ""), asset.scale)
            funding = service.fund_rewards(
                session, actor, amount=amount, asset=asset.code, reason=given.get("reason", ""), reference=reference
            )
    except DomainError as problem:
        return _fund_form(session, given, gettext(problem.sentence).format(**problem.params))
    except ValueError:
        return redirect("/admin/wallet/fund")
    done = _("{amount} {asset} issued into the reward fund; {paid} waiting rewards were paid.")
    flash(done, amount=decimal(amount, asset.scale), asset=asset.code, paid=funding.paid)
    return redirect(f"/admin/wallet/accounts/{funding.receipt.destination}")


def _fund_form(session: Session, given: Mapping[str, str], problem: str = "") -> Any:
    assets = session.scalars(select(Asset).order_by(Asset.code)).all()
    fund = queries.reward_fund(session, given.get("asset", "POINTS"))
    scale = next((asset.scale for asset in assets if asset.code == fund.asset), 0)
    return render(
        "wallet/fund.html",
        given=given,
        problem=problem,
        choices=[(a.code, f"{a.code} – {a.name}") for a in assets],
        fund=fund,
        scale=scale,
        decimal=decimal,
    )


@pages.get("/transfers/<uuid:transfer_id>/trace", permission="wallet:transfer:show")
def trace(session: Session, actor: Actor, transfer_id: UUID) -> Any:
    """Where the units of a transfer went, and where they came from."""
    return render(
        "wallet/trace.html",
        went=tracing.trace(session, transfer_id, direction="forward"),
        came=tracing.trace(session, transfer_id, direction="backward"),
        ends={
            "there": _("still there"),
            "issuance": _("issued or retired"),
            "overdraft": _("an overdraft"),
            "beyond": _("further than was looked"),
        },
        decimal=decimal,
        linked=actor.can("wallet:account:show"),
    )


def transfer_detail(session: Session, record: Transfer) -> dict[str, Any]:
    """Both sides of a transfer, for its record page."""
    return {"legs": queries.legs(session, record.id), "decimal": decimal}


def _adjustment(session: Session, actor: Actor, review: Review) -> dict[str, Any]:
    """The account as it is now, beside what is asked."""
    found = queries.account(session, UUID(review.params["account_id"]))
    amount = int(review.params["amount"])
    return {
        "account": found,
        "amount": decimal(amount, found.scale),
        "after": decimal(found.posted + amount, found.scale),
        "reason": review.params["reason"],
        "lines": queries.history(session, found.id, limit=5),
        "decimal": decimal,
    }


def _shortage(session: Session, actor: Actor, review: Review) -> dict[str, Any]:
    """The fund as it is now, and the rewards that wait first."""
    fund = queries.reward_fund(session, review.subject_id)
    scale = session.get_one(Asset, review.subject_id).scale
    return {"fund": fund, "scale": scale, "decimal": decimal}


def _points_held(session: Session) -> dict[str, Any]:
    points = next((row for row in queries.circulation(session) if row.asset == "POINTS"), None)
    return {"held": points.members if points else 0, "issued": points.issued if points else 0}


def _points_fund(session: Session) -> dict[str, Any]:
    return {"fund": queries.reward_fund(session, "POINTS")}


ADJUSTMENT = ReviewKind(
    name="adjustment",
    label=_("Adjustment of an account"),
    permission="wallet:adjustment:decide",
    decide=decide_adjustment,
    load=_adjustment,
    template="wallet/adjustment.html",
    four_eyes=True,
    icon="scale",
    approve=_("Approve and post"),
)

SHORTAGE = ReviewKind(
    name="fund",
    label=_("Reward fund that is short"),
    permission="wallet:fund:create",
    decide=decide_shortage,
    load=_shortage,
    template="wallet/shortage.html",
    icon="gift",
    approve=_("Issue what is missing"),
    reject=_("Let them wait"),
)

WIDGETS = [
    Widget(
        name="circulation",
        title=_("Points in circulation"),
        permission="wallet:account:list",
        load=_points_held,
        template="wallet/widget_circulation.html",
        size="kpi",
        order=30,
    ),
    Widget(
        name="fund",
        title=_("Reward fund"),
        permission="wallet:account:list",
        load=_points_fund,
        template="wallet/widget_fund.html",
        size="kpi",
        order=31,
    ),
]
