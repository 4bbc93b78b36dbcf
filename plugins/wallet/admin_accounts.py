"""Pages of accounts: the monitor, one account with what an admin may do with it, its statement."""

from __future__ import annotations

import io
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from flask import request
from flask_babel import gettext
from sqlalchemy import select
from sqlalchemy.orm import Session

from guildhall import Actor, DomainError, Invalid, _, now
from guildhall.web import flash, redirect, render, tried

from . import errors, history, monitor, queries, service
from .admin import pages
from .models import STATES, Asset
from .rest_money import LONGEST_PERIOD
from .statement_pdf import statement_file, write_statement_pdf
from .units import decimal, units
from .wording import KINDS, STATUSES, account_name, kind_words

LINES = 50
MONITOR = "/admin/wallet/monitor"
ASKED = ("asset", "state", "whose", "name", "least", "most", "moved_since", "moved_until")


@pages.get("/monitor", permission="wallet:account:list")
def watch(session: Session, actor: Actor) -> Any:
    """Accounts by asset, state, balance and last movement."""
    assets = {one.code: one for one in session.scalars(select(Asset).order_by(Asset.code))}
    given = {name: request.args.get(name, "").strip().replace("\x00", "")[:120] for name in ASKED}
    which, wrong = _filter(given, assets)
    after = _uuid(request.args.get("after", ""))
    found = [] if wrong else monitor.accounts(session, which, after=after, limit=LINES + 1)
    kept = {name: value for name, value in given.items() if value}
    older = f"?{urlencode({**kept, 'after': str(found[LINES - 1].id)})}" if len(found) > LINES else ""
    return render(
        "wallet/monitor.html",
        rows=[{"url": f"/admin/wallet/accounts/{one.id}", "account": one} for one in found[:LINES]],
        sums=[] if wrong else monitor.sums(session, which),
        counted=monitor.COUNTED,
        given=given,
        assets=[(code, code) for code in assets],
        wrong=wrong,
        older=older,
        first=f"?{urlencode(kept)}" if after else "",
        decimal=decimal,
        account_name=account_name,
        clear=MONITOR if kept else "",
    )


def _filter(given: dict[str, str], assets: dict[str, Asset]) -> tuple[monitor.Filter, str]:
    """What the form asks for, and what cannot be meant."""
    scale = assets[given["asset"]].scale if given["asset"] in assets else None
    if (given["least"] or given["most"]) and scale is None:
        return monitor.Filter(), gettext("Choose an asset to look for balances: each has its own unit.")
    if given["state"] and given["state"] not in STATES:
        given["state"] = ""
    try:
        least, most = (_signed(given[name], scale or 0) if given[name] else None for name in ("least", "most"))
        since, until = (_day(given[name]) for name in ("moved_since", "moved_until"))
    except DomainError as problem:
        return monitor.Filter(), problem.fill(gettext(problem.sentence))
    which = monitor.Filter(
        asset=given["asset"],
        state=given["state"],
        whose=given["whose"],
        name=given["name"],
        least=least,
        most=most,
        moved_since=since,
        moved_until=until + timedelta(days=1) if until else None,
    )
    return which, ""


@pages.get("/accounts/<uuid:account_id>", permission="wallet:account:show")
def account(session: Session, actor: Actor, account_id: UUID) -> Any:
    """One account: its figures, and what came and went or, by status, kind and days, what is looked for."""
    found = queries.account(session, account_id)
    sought = _sought(session, account_id)
    given = request.args.get("before", "")
    before = int(given) if given.isascii() and given.isdigit() and len(given) < 19 else None
    lines = queries.history(session, account_id, before=before, limit=LINES + 1)
    older = f"?before={lines[LINES - 1].version}" if len(lines) > LINES else ""
    today = now().date()
    return render(
        "wallet/account.html",
        account=found,
        name=account_name(found.name, found.purpose),
        lines=lines[:LINES],
        older=older,
        first=before is None,
        decimal=decimal,
        words=kind_words,
        account_name=account_name,
        months=_months(today),
        sought=sought,
        statuses=[(one, STATUSES[one]) for one in history.STATUSES],
        kinds=[(one, label) for one, label in KINDS.items() if one != "hold"],
        may_change=actor.can("wallet:account:update"),
        may_adjust=actor.can("wallet:adjustment:create"),
        bare=lambda amount: decimal(amount, found.scale).replace(",", ""),
    )


def _sought(session: Session, account_id: UUID) -> dict[str, Any]:
    """What the filter of the page asks for, its transactions, and the address of the next ones; empty for no filter."""
    given = {name: request.args.get(name, "").strip()[:40] for name in ("status", "kind", "since", "until")}
    asked = {name: value for name, value in given.items() if value}
    if not asked:
        return {}
    try:
        if given["status"] not in ("", *history.STATUSES) or not given["kind"].isprintable():
            raise errors.PeriodRefused()
        since, last = _day(given["since"]), _day(given["until"])
    except DomainError:
        return {"given": given, "rows": [], "older": "", "wrong": True}
    after = request.args.get("after", "")
    holds = given["status"] in ("pending", "failed")
    if not (_uuid(after) if holds else after.isascii() and after.isdigit() and len(after) < 19):
        after = ""
    rows = history.transactions(
        session,
        account_id,
        status=given["status"] or None,
        kind=given["kind"] or None,
        since=since,
        until=last + timedelta(days=1) if last else None,
        after=after,
        limit=LINES + 1,
    )
    older = f"?{urlencode({**asked, 'after': rows[LINES - 1].place})}" if len(rows) > LINES else ""
    return {"given": given, "rows": rows[:LINES], "older": older, "wrong": False}


def _months(today: date) -> list[tuple[date, date]]:
    """This month and the two before it, each with its first and last day; this one ends today."""
    first = today.replace(day=1)
    found = [(first, today)]
    for _number in range(2):
        last = first - timedelta(days=1)
        first = last.replace(day=1)
        found.append((first, last))
    return found


@pages.get("/accounts/<uuid:account_id>/statement", permission="wallet:account:show")
def statement(session: Session, actor: Actor, account_id: UUID) -> Any:
    """The statement of whole days (UTC) as a file: PDF, or CSV."""
    back = f"/admin/wallet/accounts/{account_id}"
    found = queries.account(session, account_id)
    try:
        start, last = _day(request.args.get("start", "")), _day(request.args.get("end", ""))
        end = last + timedelta(days=1) if last else None
        if start is None or end is None or not timedelta(0) < end - start <= LONGEST_PERIOD:
            raise errors.PeriodRefused()
        if request.args.get("format") == "csv":
            period = queries.statement(session, account_id, start=start, end=end)
            return statement_file(history.statement_csv(found, period).encode(), account_id, "csv")
        file = io.BytesIO()
        write_statement_pdf(session, file, found, start=start, end=end)
    except Invalid as problem:
        flash(problem.sentence, "danger", **problem.params)
        return redirect(back)
    return statement_file(file.getvalue(), account_id, "pdf")


@pages.post("/accounts/<uuid:account_id>/state", permission="wallet:account:update")
def change_state(session: Session, actor: Actor, account_id: UUID) -> Any:
    """Freeze, unfreeze or close an account; the reason is kept."""
    state = request.form.get("state", "")
    if state not in STATES:
        raise Invalid({"state": [_("Choose active, frozen or closed.")]})
    reason = request.form.get("reason", "")
    if tried(session, lambda: service.set_state(session, actor, account_id=account_id, state=state, reason=reason)):
        flash(_("The account is now {state}."), state=gettext(state))
    return redirect(f"/admin/wallet/accounts/{account_id}")


@pages.post("/accounts/<uuid:account_id>/adjust", permission="wallet:adjustment:create", moves_value=True)
def adjust(session: Session, actor: Actor, account_id: UUID) -> Any:
    """Propose to add units to an account, or to take them; another person decides."""

    def propose() -> None:
        scale = queries.account(session, account_id).scale
        amount = _signed(request.form.get("amount", "").strip(), scale)
        reason = request.form.get("reason", "")
        service.propose_adjustment(session, actor, account_id=account_id, amount=amount, reason=reason)

    if tried(session, propose):
        flash(_("Proposed. It is posted when another person approves it in the review inbox."))
    return redirect(f"/admin/wallet/accounts/{account_id}")


@pages.post("/accounts/<uuid:account_id>/limits", permission="wallet:account:update")
def change_limits(session: Session, actor: Actor, account_id: UUID) -> Any:
    """Set the limits of an account, and below which balance it is announced; the reason is kept."""
    given = {name: request.form.get(name, "").strip() for name in ("daily_limit", "overdraft", "low_below", "reason")}

    def change() -> None:
        scale = queries.account(session, account_id).scale
        daily = units(given["daily_limit"], scale) if given["daily_limit"] else None
        overdraft = units(given["overdraft"] or "0", scale)
        low = units(given["low_below"], scale) if given["low_below"] else None
        service.set_limits(
            session,
            actor,
            account_id=account_id,
            daily_limit=daily,
            overdraft=overdraft,
            reason=given["reason"],
            low_below=low,
        )

    if tried(session, change):
        flash(_("The limits of this account are set."))
    return redirect(f"/admin/wallet/accounts/{account_id}")


def _signed(text: str, scale: int) -> int:
    """An amount that may be below zero. Raises AmountUnreadable."""
    return units(text.removeprefix("-"), scale) * (-1 if text.startswith("-") else 1)


def _day(text: str) -> datetime | None:
    """The first moment of a day, in UTC. Raises PeriodRefused."""
    if not text:
        return None
    try:
        return datetime.combine(date.fromisoformat(text), time(), UTC)
    except ValueError:
        raise errors.PeriodRefused() from None


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
