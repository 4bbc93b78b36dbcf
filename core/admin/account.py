"""Sign in, by password and second factor; sign out; prove again who one is; one's own profile."""

from __future__ import annotations

from contextlib import suppress
from typing import Any
from uuid import UUID
from zoneinfo import available_timezones

from flask import Blueprint, Response, g, make_response, render_template, request, url_for
from flask import session as cookie
from flask_babel import gettext

from core import settings
from core.admin.pages import flash, redirect
from core.errors import DomainError, Forbidden, Invalid, Limit, Unauthenticated
from core.gateway import kept_forms
from core.gateway.request import actor, also_impersonating, platform, without_two_factor
from core.i18n import _
from core.members import (
    codes,
    factors,
    one_time,
    phones,
    profiles,
    service,
    sessions,
    signals,
    signed,
    two_factor,
    wallets,
)
from core.members.models import Credential, Member
from core.platform_settings import PlatformSettings

KNOWN_SECONDS = 180 * 24 * 3600
FACTOR = "factor_code_id"  # in the cookie: which code of a second step this browser waits for
blueprint = Blueprint("account", "guildhall")


@blueprint.get("/login")
@without_two_factor
def login() -> Any:
    if actor().member_id:
        return redirect(next_page())
    return login_page()


@blueprint.post("/login")
@without_two_factor
def sign_in() -> Any:
    email, password = request.form.get("email", ""), request.form.get("password", "")
    device = sessions.known_device(g.session, email, request.cookies.get(known_cookie()))
    try:
        member = service.authenticate(g.session, actor(), email=email, password=password, device=device)
    except (Forbidden, Limit) as problem:
        return login_page(email, told(problem)), 401 if isinstance(problem, Forbidden) else problem.status
    return first_step(member)


@blueprint.get("/login/second-factor")
@without_two_factor
def second_factor() -> Any:
    if "challenge" not in cookie:
        return redirect(url_for("account.login", next=next_page()))
    try:
        return second_factor_page()
    except signed.TokenUnusable:
        return _start_again()


@blueprint.post("/login/second-factor")
@without_two_factor
def check_second_factor() -> Any:
    try:
        member_id, besides = two_factor.challenged(g.session, cookie.get("challenge", ""))
        code = request.form.get("code", "")
        two_factor.check(g.session, actor(), member_id, code, code_id=waiting_for(FACTOR), besides=besides)
    except signed.TokenUnusable:
        return _start_again()
    except (two_factor.CodeRefused, Limit) as problem:
        return second_factor_page(told(problem)), problem.status
    return enter(g.session.get_one(Member, member_id), known_as=cookie.get("known_as", ""))


@blueprint.post("/login/second-factor/code")
@without_two_factor
def send_second_factor() -> Any:
    """Have a code for the second step sent, or another one."""
    try:
        member_id, besides = two_factor.challenged(g.session, cookie.get("challenge", ""))
        send_code(member_id, request.form.get("method", ""), besides)
    except signed.TokenUnusable:
        return _start_again()
    except (factors.FactorUnusable, Limit) as problem:
        return second_factor_page(told(problem)), problem.status
    return second_factor_page(sent=True)


def send_code(member_id: UUID, method: str, besides: str = "") -> None:
    """Have a second code sent, for which this browser waits from now on. Raises as ``factors.send_second``."""
    channel: one_time.Channel = "sms" if method == "sms" else "mail"
    cookie[FACTOR] = str(factors.send_second(g.session, actor(), member_id, channel, besides).code_id)


def waiting_for(which: str) -> UUID | None:
    """The code of this name that the browser asked for, if any."""
    try:
        return UUID(cookie.get(which, ""))
    except ValueError:
        return None


def second_factor_page(error: str = "", sent: bool = False) -> str:
    """The form of the second step. Raises TokenUnusable."""
    member_id, besides = two_factor.challenged(g.session, cookie.get("challenge", ""))
    methods = factors.accepted(g.session, member_id, besides)
    return render_template(
        "guildhall/second_factor.html", next=next_page(), error=error, sent=sent, methods=methods, besides=besides
    )


def _start_again() -> Any:
    cookie.pop("challenge", None)
    flash(_("That took too long. Sign in again."), "warning")
    return redirect(url_for("account.login", next=next_page()))


@blueprint.post("/logout")
@without_two_factor
@also_impersonating
def logout() -> Any:
    if session_id := actor().session_id:
        sessions.revoke(g.session, session_id)
    cookie.clear()
    return redirect(url_for("account.login"))


@blueprint.get("/confirm")
@without_two_factor
def confirm() -> Any:
    """Ask for the password again, on the way to something that needs it."""
    return confirm_page(_me())


@blueprint.post("/confirm")
@without_two_factor
def step_up() -> Any:
    actor().require_own()
    member = _me()
    password, code = request.form.get("password", ""), request.form.get("code", "")
    device = sessions.known_device(g.session, member.email or "", request.cookies.get(known_cookie()))
    try:
        factor = waiting_for(FACTOR)
        service.step_up(g.session, actor(), password=password, code=code, device=device, factor_code_id=factor)
    except (Forbidden, Limit) as problem:
        return confirm_page(member, told(problem)), 422 if isinstance(problem, Forbidden) else problem.status
    cookie.pop(FACTOR, None)
    return go_on()


@blueprint.get("/confirm/go-on")
@without_two_factor
def send_again() -> Any:
    """Offer to send the form that waited for the proof."""
    _me()
    form = kept_forms.kept()
    return (
        redirect(next_page()) if form is None else render_template("guildhall/go_on.html", form=form, next=next_page())
    )


def go_on() -> Any:
    """The answer to who has just proved who they are: on to where they were going, or to the form that waited."""
    target = next_page()
    return redirect(target if kept_forms.kept() is None else url_for("account.send_again", next=target))


@blueprint.get("/profile")
def profile() -> Any:
    return _profile_page(_me())


@blueprint.post("/profile")
def change_profile() -> Any:
    """Save what one tells about oneself."""
    member = _me()
    names = ("display_name", "time_zone", "preferred_chain", "bio", "location", "website", *profiles.further(g.session))
    given: dict[str, Any] = {name: request.form[name] for name in names if name in request.form}
    values = dict(given)
    if values.get("preferred_chain", "").isdecimal():
        values["preferred_chain"] = int(values["preferred_chain"][:20])
    picture = request.files.get("avatar")
    try:
        with g.session.begin_nested():
            if picture is not None and picture.filename:
                values["avatar"] = profiles.store_picture(g.session, actor(), picture.stream, picture.filename)
            elif request.form.get("remove_avatar"):
                values["avatar"] = None
            profiles.change(g.session, actor(), values)
    except Invalid as problem:
        wrong = {name: gettext(sentences[0]) for name, sentences in problem.details.items()}
        return _profile_page(member, given=given, wrong=wrong), 422
    flash(_("Your profile is saved."))
    return redirect(url_for("account.profile"))


def _profile_page(member: Member, **more: Any) -> str:
    shown = profiles.of(g.session, member.id)
    return render_template(
        "guildhall/profile.html",
        member=member,
        title=gettext(_("My profile")),
        signed_in=sessions.living(g.session, member.id),
        wallets=wallets.of_member(g.session, member.id),
        factors_on=factors.of(g.session, member.id),
        factors_possible=factors.possible(g.session, member),
        admin_factors=sorted(factors.enough_for_admins(g.session) or ()) if "Admin" in actor().roles else [],
        texts=phones.offered(g.session),
        phone=phones.of_member(g.session, member.id),
        recovery_codes_left=two_factor.recovery_codes_left(g.session, member.id),
        profile=shown,
        picture=profiles.avatar_url(g.session, shown),
        missing=profiles.missing(g.session, shown),
        further=profiles.further(g.session),
        zones=[(zone, zone) for zone in sorted({*available_timezones(), member.time_zone})],
        **{"given": {}, "wrong": {}, **more},
    )


@blueprint.post("/profile/password")
def change_password() -> Any:
    """Change one's own password; every other session ends."""
    actor().require_own()
    member = _me()
    device = sessions.known_device(g.session, member.email or "", request.cookies.get(known_cookie()))
    current = request.form.get("current", "")
    try:
        service.authenticate(g.session, actor(), email=member.email or "", password=current, device=device)
        service.set_password(g.session, actor(), member.id, request.form.get("password", ""))
    except (Forbidden, Limit, Invalid) as problem:
        flash(told(problem), "danger")
        return redirect(url_for("account.profile"))
    sessions.revoke_all(g.session, member.id)
    flash(_("Your password is changed; all other sessions have ended."))
    return enter(member, url_for("account.profile"))


def first_step(member: Member, known_as: str = "", besides: str = "") -> Any:
    """Go on after the first proof: into a session, or to the second step. ``known_as`` is as with ``enter``.

    ``besides`` is the kind of code that was the proof, if it was one. Where the second step takes nothing but one kind
    that is sent, it is on its way.
    """
    if two_factor.is_on(g.session, member.id):
        cookie["challenge"] = two_factor.challenge(g.session, member.id, besides)
        cookie["known_as"] = known_as
        cookie.pop(FACTOR, None)
        if len(methods := factors.accepted(g.session, member.id, besides)) == 1 and methods != ["totp"]:
            with suppress(factors.FactorUnusable, Limit):  # the page offers to try again
                send_code(member.id, methods[0], besides)
        return redirect(url_for("account.second_factor", next=next_page()))
    return enter(member, known_as=known_as)


def login_page(email: str = "", error: str = "") -> str:
    opened, mails = settings.read(g.session, PlatformSettings).registration, codes.offered(g.session)
    texts = codes.texts_offered(g.session)
    title = gettext(_("Sign in"))
    return render_template(
        "guildhall/login.html",
        title=title,
        next=next_page(),
        email=email,
        error=error,
        registration=opened,
        mails=mails,
        texts=texts,
    )


def enter(member: Member, target: str = "", known_as: str = "") -> Response:
    """Begin a session in this browser; nothing from before survives it but what is to be told.

    The browser is known from now on for ``known_as``, the account as it was named: the e-mail address or a wallet.
    """
    if session_id := actor().session_id:
        sessions.revoke(g.session, session_id)
    told = cookie.get("_flashes")
    cookie.clear()
    if told:
        cookie["_flashes"] = told
    agent = request.headers.get("User-Agent")
    key = signals.device_key(request.cookies.get(device_cookie()))
    cookie["sid"] = sessions.start(
        g.session, member, kind="cookie", ip=request.remote_addr, device=agent, device_key=key
    )[1]
    answer = make_response(redirect(target or next_page()))
    token, secure = sessions.device_token(g.session, known_as or member.email or ""), platform().config.secure
    kept: dict[str, Any] = {"secure": secure, "httponly": True, "samesite": "Lax"}
    answer.set_cookie(known_cookie(), token, max_age=KNOWN_SECONDS, **kept)
    if days := settings.read(g.session, PlatformSettings).signal_days:
        answer.set_cookie(device_cookie(), key, max_age=days * 24 * 3600, **kept)
    return answer


def known_cookie() -> str:
    """The cookie of a browser from which somebody has signed in; strangers' guesses do not slow it down."""
    return "__Host-known" if platform().config.secure else "known"


def device_cookie() -> str:
    """The cookie with the browser's random number, by which accounts of one browser are told (core.members.signals)."""
    return "__Host-device" if platform().config.secure else "device"


def confirm_page(member: Member, error: str = "", code_asked: bool = False) -> str:
    on = factors.accepted(g.session, member.id)
    context = {
        "member": member,
        "asks_code": bool(on),
        "methods": on,
        "factor_sent": bool(on) and waiting_for(FACTOR) is not None,
        "channels": [
            one
            for one in codes.own_channels(g.session, member)
            if not on or factors.accepted(g.session, member.id, one)
        ],
        "has_password": g.session.get(Credential, member.id) is not None,
        "wallets": wallets.of_member(g.session, member.id),
        "code_asked": code_asked,
        "next": next_page(),
        "error": error,
    }
    return render_template("guildhall/confirm.html", **context)


def told(problem: DomainError) -> str:
    """What was wrong, in the reader's language: the first sentence about a field, or that of the refusal."""
    details = problem.details if isinstance(problem.details, dict) else {}
    sentence = next((texts[0] for texts in details.values()), problem.sentence)
    return problem.fill(gettext(sentence))


def _me() -> Member:
    actor().require_session()
    member: Member | None = g.session.get(Member, actor().member_id)
    if member is None:
        raise Unauthenticated()
    return member


def next_page() -> str:
    """Where to go after signing in: a path of this site, never another one."""
    target = request.values.get("next", "")
    local = target.startswith("/") and not target.replace("\\", "/").startswith("//")
    return target if local and target.isprintable() else "/"
