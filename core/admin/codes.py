"""Codes that are sent, in the browser: signing in by one, proving who one is, and sending one for the second step."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import request
from flask import session as cookie
from sqlalchemy.orm import Session

from core.actor import Actor
from core.admin import account
from core.admin.pages import PageBlueprint, flash, render
from core.errors import DomainError, Forbidden, Invalid, Limit, NotFound
from core.gateway.request import without_two_factor
from core.i18n import _
from core.ids import new_id
from core.members import codes, factors
from core.members.models import Member

pages = PageBlueprint("core_codes", url_prefix="/")
ASKED = "code_id"  # in the cookie: which code this browser waits for


@pages.get("/login/code", public=True)
@without_two_factor
def asking(session: Session, actor: Actor) -> Any:
    """Ask for a code by mail, or with ``?by=sms`` by text message."""
    return _page("ask", by=_channel(session))


@pages.post("/login/code", public=True)
@without_two_factor
def ask(session: Session, actor: Actor) -> Any:
    by, typed = _channel(session), request.form.get("number" if request.values.get("by") == "sms" else "email", "")
    try:
        if by == "sms":
            asked = codes.ask_by_text(session, actor, number=typed)
        else:
            asked = codes.ask(session, actor, email=typed)
    except (Invalid, Limit) as problem:
        return _page("ask", problem, typed=typed, by=by), problem.status
    cookie[ASKED] = str(asked.code_id)
    return _page("give", by=by)


@pages.post("/login/code/give", public=True)
@without_two_factor
def sign_in(session: Session, actor: Actor) -> Any:
    by = _channel(session)
    try:
        member, came_by = codes.sign_in(session, actor, code_id=_waiting_for(), code=request.form.get("code", ""))
    except (Forbidden, Limit) as problem:
        return _page("give", problem, by=by), _status(problem)
    cookie.pop(ASKED, None)
    return account.first_step(member, besides=came_by)


@pages.post("/confirm/code", signed_in=True)
@without_two_factor
def ask_own(session: Session, actor: Actor) -> Any:
    by_text = request.form.get("channel") == "sms"
    try:
        cookie[ASKED] = str(codes.ask_own(session, actor, "sms" if by_text else "mail").code_id)
    except (codes.CodesOff, factors.FactorUnusable, Limit) as problem:
        return _confirm(session, actor, problem), problem.status
    said = (
        _("A code is on its way to your phone.") if by_text else _("A code is on its way. Look into your letter box.")
    )
    flash(said, "info")
    return _confirm(session, actor)


@pages.post("/confirm/second-factor/code", signed_in=True)
@without_two_factor
def send_second_factor(session: Session, actor: Actor) -> Any:
    """Have the code of the second step sent; the first proof is still to come."""
    actor.require_own()
    member = session.get_one(Member, actor.member_id)
    try:
        account.send_code(member.id, request.form.get("method", ""))
    except (factors.FactorUnusable, Limit) as problem:
        return account.confirm_page(member, account.told(problem)), problem.status
    flash(_("The code for the second step is on its way."), "info")
    return account.confirm_page(member)


@pages.post("/confirm/code/give", signed_in=True)
@without_two_factor
def step_up(session: Session, actor: Actor) -> Any:
    mailed, code = request.form.get("mailed_code", ""), request.form.get("code", "")
    second = account.waiting_for(account.FACTOR)
    try:
        codes.step_up(session, actor, code_id=_waiting_for(), mailed_code=mailed, code=code, factor_code_id=second)
    except (Forbidden, Limit) as problem:
        return _confirm(session, actor, problem), _status(problem)
    cookie.pop(ASKED, None)
    return account.go_on()


def _page(step: str, problem: DomainError | None = None, typed: str = "", by: str = "mail") -> str:
    error = account.told(problem) if problem else ""
    return render("guildhall/code.html", step=step, next=account.next_page(), error=error, typed=typed, by=by)


def _confirm(session: Session, actor: Actor, problem: DomainError | None = None) -> str:
    member = session.get_one(Member, actor.member_id)
    return account.confirm_page(member, account.told(problem) if problem else "", code_asked=True)


def _waiting_for() -> UUID:
    """The code this browser asked for; one that nobody has where it asked for none."""
    return account.waiting_for(ASKED) or new_id()


def _channel(session: Session) -> str:
    """How the code comes that is asked for. Raises NotFound where none comes that way."""
    by = "sms" if request.values.get("by") == "sms" else "mail"
    if not (codes.texts_offered(session) if by == "sms" else codes.offered(session)):
        raise NotFound()
    return by


def _status(problem: DomainError) -> int:
    return 422 if isinstance(problem, Forbidden) else problem.status
