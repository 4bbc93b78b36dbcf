"""Pages and widgets: the ledger at a glance, the reward fund, the trace of units."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from flask import request
from flask_babel import gettext
from sqlalchemy import select
from sqlalchemy.orm import Session

from guildhall import Actor, DomainError, Invalid, Review, ReviewKind, Widget, _, new_id
from guildhall.web import PageBlueprint, flash, redirect, render

from . import history, queries, service
from . import trace as tracing
from . import trace_picture as picture
from .models import Account, Asset, Transfer
from .service import decide_shortage
from .service.adjustments import decide_adjustment
from .units import decimal, units
from .verify import labels, verify
from .wording import account_name, kind_words, sentence

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
    results = [{"name": name, "label": label, "finding": found.get(name)} for name, label in labels(session).items()]
    return _ledger(session, actor, results=results, broken=len(found))


def _ledger(session: Session, actor: Actor, **more: Any) -> Any:
    assets = queries.circulation(session)
    return render(
        "wallet/ledger.html",
        assets=assets,
        house=queries.house(session),
        decimal=decimal,
        account_name=account_name,
        funds=[queries.reward_fund(session, row.asset) for row in assets],
        scales={row.asset: row.scale for row in assets},
        may_fund=actor.can("wallet:fund:create"),
        **{"results": None, "broken": 0, **more},
    )


@pages.get("/fund", permission="wallet:fund:create")
def fund_form(session: Session, actor: Actor) -> Any:
    """The form that fills a reward fund."""
    return _fund_form(session, {"asset": request.args.get("asset", "POINTS"), "reference": str(new_id())})


@pages.post("/fund", permission="wallet:fund:create", moves_value=True)
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
    went = tracing.trace(session, transfer_id, direction="forward")
    came = tracing.trace(session, transfer_id, direction="backward")
    legs = queries.legs(session, transfer_id)
    kind = session.get_one(Transfer, transfer_id).kind
    return render(
        "wallet/trace.html",
        went=went,
        came=came,
        picture=picture.drawing(came, went, legs),
        called=_called(session, came, went),
        box=(picture.WIDTH, picture.HEIGHT),
        said=sentence(kind, legs),
        words=kind_words,
        ends={
            "there": _("still there"),
            "issuance": _("issued or retired"),
            "overdraft": _("an overdraft"),
            "beyond": _("further than was looked"),
        },
        decimal=decimal,
        linked=actor.can("wallet:account:show"),
    )


def _called(session: Session, *traces: tracing.Trace) -> Callable[[UUID | None, str], str]:
    """Says the name of an account of these traces; those of the house in the reader's language."""
    found = {account for one in traces for hop in one.hops for account in (hop.source, hop.destination)}
    found |= {end.account for one in traces for end in one.ends}
    house = select(Account.id, Account.purpose).where(Account.id.in_(found), Account.member_id.is_(None))
    purposes: dict[UUID | None, str] = dict(session.execute(house).tuples().all())
    return lambda account, name: account_name(name, purposes.get(account, ""))


def transfer_detail(session: Session, record: Transfer) -> dict[str, Any]:
    """Both sides of a transfer, what it undoes and what undid it, for its record page."""
    return {
        "legs": queries.legs(session, record.id),
        "undoes": record.reverses or record.refunds,
        "undone": history.undone_by(session, record.id),
        "decimal": decimal,
        "account_name": account_name,
        "words": kind_words,
    }


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
        "words": kind_words,
        "account_name": account_name,
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
    moves_value=True,
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
    moves_value=True,
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
