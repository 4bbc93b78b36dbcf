"""One-time codes in the browser: signing in by one, and proving who one is."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import request
from flask import session as cookie
from sqlalchemy.orm import Session

from core.actor import Actor
from core.admin import account
from core.admin.pages import PageBlueprint, flash, redirect, render
from core.errors import DomainError, Forbidden, Limit, NotFound
from core.gateway.request import without_two_factor
from core.i18n import _
from core.ids import new_id
from core.members import codes
from core.members.models import Member

pages = PageBlueprint("core_codes", url_prefix="/")
ASKED = "code_id"  # in the cookie: which code this browser waits for


@pages.get("/login/code", public=True)
@without_two_factor
def asking(session: Session, actor: Actor) -> Any:
    _offered_or_missing(session)
    return _page("ask")


@pages.post("/login/code", public=True)
@without_two_factor
def ask(session: Session, actor: Actor) -> Any:
    _offered_or_missing(session)
    email = request.form.get("email", "")
    try:
        cookie[ASKED] = str(codes.ask(session, actor, email=email).code_id)
    except Limit as problem:
        return _page("ask", problem, email=email), problem.status
    return _page("give")


@pages.post("/login/code/give", public=True)
@without_two_factor
def sign_in(session: Session, actor: Actor) -> Any:
    _offered_or_missing(session)
    try:
        member = codes.sign_in(session, actor, code_id=_waiting_for(), code=request.form.get("code", ""))
    except (Forbidden, Limit) as problem:
        return _page("give", problem), _status(problem)
    cookie.pop(ASKED, None)
    return account.first_step(member)


@pages.post("/confirm/code", signed_in=True)
@without_two_factor
def ask_own(session: Session, actor: Actor) -> Any:
    try:
        cookie[ASKED] = str(codes.ask_own(session, actor).code_id)
    except (codes.CodesOff, Limit) as problem:
        return _confirm(session, actor, problem), problem.status
    flash(_("A code is on its way. Look into your letter box."), "info")
    return _confirm(session, actor)


@pages.post("/confirm/code/give", signed_in=True)
@without_two_factor
def step_up(session: Session, actor: Actor) -> Any:
    mailed, code = request.form.get("mailed_code", ""), request.form.get("code", "")
    try:
        codes.step_up(session, actor, code_id=_waiting_for(), mailed_code=mailed, code=code)
    except (Forbidden, Limit) as problem:
        return _confirm(session, actor, problem), _status(problem)
    cookie.pop(ASKED, None)
    return redirect(account.next_page())


def _page(step: str, problem: DomainError | None = None, email: str = "") -> str:
    error = account.told(problem) if problem else ""
    return render("guildhall/code.html", step=step, next=account.next_page(), error=error, email=email)


def _confirm(session: Session, actor: Actor, problem: DomainError | None = None) -> str:
    member = session.get_one(Member, actor.member_id)
    return account.confirm_page(member, account.told(problem) if problem else "", code_asked=True)


def _waiting_for() -> UUID:
    """The code this browser asked for; one that nobody has where it asked for none."""
    try:
        return UUID(cookie.get(ASKED, ""))
    except ValueError:
        return new_id()


def _offered_or_missing(session: Session) -> None:
    if not codes.offered(session):
        raise NotFound()


def _status(problem: DomainError) -> int:
    return 422 if isinstance(problem, Forbidden) else problem.status
