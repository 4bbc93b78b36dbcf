"""Coming in with a browser: registration, confirmed e-mail, forgotten password."""

from __future__ import annotations

from typing import Any

from flask import request
from flask_babel import gettext
from sqlalchemy.orm import Session

from core.actor import Actor
from core.admin.pages import PageBlueprint, flash, redirect, render
from core.db.session import current
from core.errors import DomainError, Invalid, Limit, NotFound
from core.i18n import _
from core.members import accounts, signed, wallets
from core.platform_settings import PlatformSettings
from core.settings import read

pages = PageBlueprint("core_registration", url_prefix="/")
SENT = _("If that address can be used here, a mail with a link is on its way. Look into your letter box.")


@pages.get("/register", public=True)
def register(session: Session, actor: Actor) -> Any:
    open_or_missing(session)
    return _page("register")


@pages.post("/register", public=True)
def sign_up(session: Session, actor: Actor) -> Any:
    open_or_missing(session)
    email, name = request.form.get("email", ""), request.form.get("display_name", "")
    try:
        accounts.sign_up(session, actor, email=email, display_name=name)
    except (Invalid, Limit) as problem:
        return _page("register", problem, email=email, display_name=name), problem.status
    flash(SENT, "info")
    return redirect("/login")


@pages.get("/forgot-password", public=True)
def forgot(session: Session, actor: Actor) -> Any:
    return _page("forgot")


@pages.post("/forgot-password", public=True)
def ask_for_link(session: Session, actor: Actor) -> Any:
    email = request.form.get("email", "")
    try:
        accounts.forgot_password(session, actor, email=email)
    except Limit as problem:
        return _page("forgot", problem, email=email), problem.status
    flash(SENT, "info")
    return redirect("/login")


@pages.get("/verify", public=True)
def verify(session: Session, actor: Actor) -> Any:
    """A form, for programs that look into mails follow links by themselves."""
    token = request.args.get("token", "")
    try:
        asks = accounts.needs_password(session, token)
    except signed.TokenUnusable as problem:
        return _used(problem)
    return _page("verify" if asks else "verify_only", token=token)


@pages.post("/verify", public=True)
def confirm_address(session: Session, actor: Actor) -> Any:
    token = request.form.get("token", "")
    try:
        accounts.verify(session, actor, token=token, password=request.form.get("password"))
    except signed.TokenUnusable as problem:
        return _used(problem)
    except Invalid as problem:
        return _page("verify", problem, token=token), problem.status
    flash(_("Your e-mail address is confirmed. You can sign in."))
    return redirect("/login")


@pages.get("/reset", public=True)
def reset(session: Session, actor: Actor) -> Any:
    token = request.args.get("token", "")
    try:
        signed.read(session, "reset", token)
    except signed.TokenUnusable as problem:
        return _used(problem)
    return _page("reset", token=token)


@pages.post("/reset", public=True)
def choose_password(session: Session, actor: Actor) -> Any:
    token = request.form.get("token", "")
    try:
        accounts.reset_password(session, actor, token=token, password=request.form.get("password", ""))
    except signed.TokenUnusable as problem:
        return _used(problem)
    except Invalid as problem:
        return _page("reset", problem, token=token), problem.status
    flash(_("Your password is changed. Sign in with the new one."))
    return redirect("/login")


def open_or_missing(session: Session) -> None:
    if not read(session, PlatformSettings).registration:
        raise NotFound()


def _used(problem: DomainError) -> Any:
    flash(problem.sentence, "warning")
    return redirect("/forgot-password")


def _page(step: str, problem: DomainError | None = None, **values: str) -> str:
    details = problem.details if problem is not None and isinstance(problem.details, dict) else {}
    wrong = {name: gettext(sentences[0]) for name, sentences in details.items()}
    told = problem.fill(gettext(problem.sentence)) if problem and not wrong else ""
    return page(step, error=told, wrong=wrong, values=values)


def page(step: str, *, error: str, wrong: dict[str, str], values: dict[str, str]) -> str:
    """The page of this step, with what is wrong by field and what was typed."""
    by_wallet = step == "register" and wallets.registers(current())
    return render(
        "guildhall/registration.html", step=step, wrong=wrong, error=error, values=values, by_wallet=by_wallet
    )
