"""One's phone number in the browser, and codes that are sent as a second step of signing in."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import request
from flask import session as cookie
from sqlalchemy.orm import Session

from core.actor import Actor
from core.admin import account, profile
from core.admin.pages import PageBlueprint, flash, redirect, render
from core.errors import Conflict, DomainError, Forbidden, Invalid, Limit, NotFound
from core.gateway.request import without_two_factor
from core.i18n import _
from core.ids import new_id
from core.members import factors, phones, two_factor
from core.members.models import Member

pages = PageBlueprint("core_factors", url_prefix="/profile")
PHONE, ENROL = "phone_code_id", "enrol_code_id"  # in the cookie: which code this browser waits for


@pages.get("/phone", signed_in=True, step_up=True)
@without_two_factor
def phone(session: Session, actor: Actor) -> Any:
    """The form for a number, or for the code of one that waits."""
    _offered_or_missing(session)
    return _phone_page(session, actor)


@pages.post("/phone", signed_in=True, step_up=True)
@without_two_factor
def give(session: Session, actor: Actor) -> Any:
    _offered_or_missing(session)
    typed = request.form.get("number", "")
    try:
        cookie[PHONE] = str(phones.give(session, actor, typed).code_id)
    except (Invalid, Conflict, Limit) as problem:
        return _phone_page(session, actor, problem, typed=typed, step="ask"), problem.status
    return _phone_page(session, actor)


@pages.post("/phone/code", signed_in=True, step_up=True)
@without_two_factor
def send_again(session: Session, actor: Actor) -> Any:
    _offered_or_missing(session)
    try:
        cookie[PHONE] = str(phones.ask_again(session, actor).code_id)
    except (NotFound, Limit) as problem:
        return _phone_page(session, actor, problem), problem.status
    flash(_("Another code is on its way."), "info")
    return _phone_page(session, actor)


@pages.post("/phone/verify", signed_in=True, step_up=True)
@without_two_factor
def verify(session: Session, actor: Actor) -> Any:
    waiting = account.waiting_for(PHONE) or new_id()
    try:
        phones.verify(session, actor, code_id=waiting, code=request.form.get("code", ""))
    except (Forbidden, Conflict, Limit) as problem:
        return _phone_page(session, actor, problem), 422 if isinstance(problem, Forbidden) else problem.status
    cookie.pop(PHONE, None)
    flash(_("Your phone number is confirmed."))
    return redirect("/profile")


@pages.post("/phone/remove", signed_in=True, step_up=True)
@without_two_factor
def remove(session: Session, actor: Actor) -> Any:
    try:
        phones.remove(session, actor)
    except (phones.PhoneNeeded, phones.NoPhone) as problem:
        flash(problem.sentence, "danger")
        return redirect("/profile")
    flash(_("Your phone number is removed."))
    return redirect("/profile")


@pages.post("/two-factor/<method>", signed_in=True, step_up=True)
@without_two_factor
def begin(session: Session, actor: Actor, method: str) -> Any:
    """Have the code sent that turns this second factor on."""
    channel = _channel(method)
    try:
        cookie[ENROL] = str(factors.begin(session, actor, _me(actor), channel).code_id)
    except (Conflict, Limit) as problem:
        flash(problem.sentence, "danger", **problem.params)
        return redirect("/profile")
    return _factor_page(session, actor, method)


@pages.post("/two-factor/<method>/enable", signed_in=True, step_up=True)
@without_two_factor
def enable(session: Session, actor: Actor, method: str) -> Any:
    waiting, code = account.waiting_for(ENROL) or new_id(), request.form.get("code", "")
    try:
        codes = two_factor.enable_sent(session, actor, _me(actor), _channel(method), code_id=waiting, code=code)
    except (Forbidden, Limit) as problem:
        status = 422 if isinstance(problem, Forbidden) else problem.status
        return _factor_page(session, actor, method, problem), status
    cookie.pop(ENROL, None)
    return profile.recovery_codes_page(codes)


def _phone_page(
    session: Session, actor: Actor, problem: DomainError | None = None, typed: str = "", step: str = ""
) -> str:
    proved, waiting = phones.of_member(session, _me(actor))
    error = account.told(problem) if problem else ""
    given = {"proved": proved, "waiting": waiting, "typed": typed, "error": error}
    return render("guildhall/phone.html", step=step or ("give" if waiting else "ask"), **given)


def _factor_page(session: Session, actor: Actor, method: str, problem: DomainError | None = None) -> str:
    member = session.get_one(Member, actor.member_id)
    proved, _waiting = phones.of_member(session, member.id)
    to = (proved.shown if proved else "") if method == "sms" else member.email
    error = account.told(problem) if problem else ""
    return render("guildhall/factor.html", method=method, to=to, error=error)


def _offered_or_missing(session: Session) -> None:
    if not phones.offered(session):
        raise NotFound()


def _channel(method: str) -> Any:
    if method not in ("sms", "mail"):
        raise NotFound()
    return method


def _me(actor: Actor) -> UUID:
    assert actor.member_id is not None
    return actor.member_id
