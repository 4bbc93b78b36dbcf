"""Wallets in the browser: signing in, registering and proving who one is by one; one's own list of them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import request
from flask_babel import gettext
from sqlalchemy.orm import Session

from core.actor import Actor
from core.admin import account, registration
from core.admin.pages import PageBlueprint, flash, redirect, render
from core.errors import DomainError, Forbidden, Invalid, Limit
from core.gateway.request import without_two_factor
from core.i18n import _
from core.members import ethereum, sessions, wallets
from core.members.models import Member
from core.members.wallets import WalletTaken

pages = PageBlueprint("core_wallets", url_prefix="/")


@pages.post("/login/wallet", public=True)
@without_two_factor
def sign_in(session: Session, actor: Actor) -> Any:
    try:
        member = wallets.sign_in(session, actor, **_signed(), device=_device(session))
    except (Forbidden, Limit) as problem:
        return account.login_page(error=account.told(problem)), _status(problem)
    return account.first_step(member, _account())


@pages.post("/register/wallet", public=True)
@without_two_factor
def register(session: Session, actor: Actor) -> Any:
    registration.open_or_missing(session)
    name = request.form.get("display_name", "")
    try:
        member = wallets.register(session, actor, **_signed(), display_name=name, device=_device(session))
    except (Forbidden, Limit, Invalid, WalletTaken) as problem:
        values = {"wallet_name": name}
        return registration.page("register", error=account.told(problem), wrong={}, values=values), _status(problem)
    return account.enter(member, "/profile", _account())


@pages.post("/confirm/wallet", signed_in=True)
@without_two_factor
def step_up(session: Session, actor: Actor) -> Any:
    try:
        code, second = request.form.get("code", ""), account.waiting_for(account.FACTOR)
        wallets.step_up(session, actor, **_signed(), code=code, device=_device(session), factor_code_id=second)
    except (Forbidden, Limit) as problem:
        member = session.get_one(Member, actor.member_id)
        return account.confirm_page(member, account.told(problem)), _status(problem)
    return account.go_on()


@pages.get("/profile/wallets", signed_in=True, step_up=True)
def mine(session: Session, actor: Actor) -> Any:
    return _page(session, actor)


@pages.post("/profile/wallets", signed_in=True, step_up=True)
def link(session: Session, actor: Actor) -> Any:
    try:
        wallets.link(session, actor, **_signed(), label=request.form.get("label", ""))
    except (WalletTaken, wallets.TooManyWallets, Invalid) as problem:
        return _page(session, actor, account.told(problem)), problem.status
    except (ethereum.MessageRefused, ethereum.SignatureRefused, ethereum.ContractWallet, Limit) as problem:
        return _page(session, actor, account.told(problem)), _status(problem)
    flash(_("The wallet is linked. From now on it signs you in."))
    return redirect("/profile/wallets")


@pages.post("/profile/wallets/<uuid:key>/primary", signed_in=True, step_up=True)
def make_primary(session: Session, actor: Actor, key: UUID) -> Any:
    wallets.make_primary(session, actor, key)
    flash(_("You are known by this wallet now."))
    return redirect("/profile/wallets")


@pages.post("/profile/wallets/<uuid:key>/unlink", signed_in=True, step_up=True)
def unlink(session: Session, actor: Actor, key: UUID) -> Any:
    try:
        wallets.unlink(session, actor, key)
    except wallets.LastWayIn as problem:
        return _page(session, actor, account.told(problem)), problem.status
    flash(_("The wallet is unlinked."))
    return redirect("/profile/wallets")


def _page(session: Session, actor: Actor, error: str = "") -> str:
    assert actor.member_id is not None
    shown = wallets.of_member(session, actor.member_id)
    return render("guildhall/wallets.html", wallets=shown, error=error, title=gettext(_("My wallets")))


def _signed() -> dict[str, str]:
    # A form's line breaks travel as CR LF, and a message has none but LF.
    message = request.form.get("message", "").replace("\r\n", "\n")
    return {"message": message, "signature": request.form.get("signature", "")}


def _account() -> str:
    """What the browser is known for: the wallet that the message names."""
    try:
        return wallets.account_name(ethereum.parse(_signed()["message"]).address)
    except ethereum.MessageRefused:
        return ""


def _device(session: Session) -> str | None:
    return sessions.known_device(session, _account(), request.cookies.get(account.known_cookie()))


def _status(problem: DomainError) -> int:
    """What was refused is told on the form, so it is the form that could not be accepted."""
    return 422 if isinstance(problem, Forbidden) else problem.status
