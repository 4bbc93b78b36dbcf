"""Sign in, by password and second factor; sign out; prove again who one is; one's own profile."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, g, make_response, render_template, request, url_for
from flask import session as cookie
from flask_babel import gettext

from core import settings
from core.admin.pages import flash, redirect
from core.errors import DomainError, Forbidden, Invalid, Limit, Unauthenticated
from core.gateway.request import actor, platform, without_two_factor
from core.i18n import _
from core.members import service, sessions, signed, two_factor
from core.members.models import Member
from core.platform_settings import PlatformSettings

KNOWN_SECONDS = 180 * 24 * 3600
blueprint = Blueprint("account", "guildhall")


@blueprint.get("/login")
@without_two_factor
def login() -> Any:
    if actor().member_id:
        return redirect(_next())
    return _login_page()


@blueprint.post("/login")
@without_two_factor
def sign_in() -> Any:
    email, password = request.form.get("email", ""), request.form.get("password", "")
    device = sessions.known_device(g.session, email, request.cookies.get(_known()))
    try:
        member = service.authenticate(g.session, actor(), email=email, password=password, device=device)
    except (Forbidden, Limit) as problem:
        return _login_page(email, _told(problem)), 401 if isinstance(problem, Forbidden) else problem.status
    if two_factor.is_on(g.session, member.id):
        cookie["challenge"] = signed.make(g.session, "second-factor", member.id)
        return redirect(url_for("account.second_factor", next=_next()))
    return _enter(member)


@blueprint.get("/login/second-factor")
@without_two_factor
def second_factor() -> Any:
    if "challenge" not in cookie:
        return redirect(url_for("account.login", next=_next()))
    return render_template("guildhall/second_factor.html", next=_next())


@blueprint.post("/login/second-factor")
@without_two_factor
def check_second_factor() -> Any:
    try:
        member_id = signed.read(g.session, "second-factor", cookie.get("challenge", ""))
        two_factor.check(g.session, actor(), member_id, request.form.get("code", ""))
    except signed.TokenUnusable:
        cookie.pop("challenge", None)
        flash(_("That took too long. Sign in again."), "warning")
        return redirect(url_for("account.login", next=_next()))
    except (two_factor.CodeRefused, Limit) as problem:
        return render_template("guildhall/second_factor.html", next=_next(), error=_told(problem)), problem.status
    return _enter(g.session.get_one(Member, member_id))


@blueprint.post("/logout")
@without_two_factor
def logout() -> Any:
    if session_id := actor().session_id:
        sessions.revoke(g.session, session_id)
    cookie.clear()
    return redirect(url_for("account.login"))


@blueprint.get("/confirm")
@without_two_factor
def confirm() -> Any:
    """Ask for the password again, on the way to something that needs it."""
    return _confirm_page(_me())


@blueprint.post("/confirm")
@without_two_factor
def step_up() -> Any:
    member = _me()
    password, code = request.form.get("password", ""), request.form.get("code", "")
    device = sessions.known_device(g.session, member.email or "", request.cookies.get(_known()))
    try:
        service.step_up(g.session, actor(), password=password, code=code, device=device)
    except (Forbidden, Limit) as problem:
        return _confirm_page(member, _told(problem)), 422 if isinstance(problem, Forbidden) else problem.status
    return redirect(_next())


@blueprint.get("/profile")
def profile() -> Any:
    member = _me()
    return render_template(
        "guildhall/profile.html",
        member=member,
        title=gettext(_("My profile")),
        signed_in=sessions.living(g.session, member.id),
        two_factor=two_factor.is_on(g.session, member.id),
        recovery_codes_left=two_factor.recovery_codes_left(g.session, member.id),
    )


@blueprint.post("/profile/password")
def change_password() -> Any:
    """Change one's own password; every other session ends."""
    member = _me()
    device = sessions.known_device(g.session, member.email or "", request.cookies.get(_known()))
    current = request.form.get("current", "")
    try:
        service.authenticate(g.session, actor(), email=member.email or "", password=current, device=device)
        service.set_password(g.session, actor(), member.id, request.form.get("password", ""))
    except (Forbidden, Limit, Invalid) as problem:
        flash(_told(problem), "danger")
        return redirect(url_for("account.profile"))
    sessions.revoke_all(g.session, member.id)
    flash(_("Your password is changed; all other sessions have ended."))
    return _enter(member, url_for("account.profile"))


def _login_page(email: str = "", error: str = "") -> str:
    opened = settings.read(g.session, PlatformSettings).registration
    title = gettext(_("Sign in"))
    return render_template(
        "guildhall/login.html", title=title, next=_next(), email=email, error=error, registration=opened
    )


def _enter(member: Member, target: str = "") -> Response:
    """Begin a session in this browser; nothing from before survives it but what is to be told."""
    if session_id := actor().session_id:
        sessions.revoke(g.session, session_id)
    told = cookie.get("_flashes")
    cookie.clear()
    if told:
        cookie["_flashes"] = told
    agent = request.headers.get("User-Agent")
    cookie["sid"] = sessions.start(g.session, member, kind="cookie", ip=request.remote_addr, device=agent)[1]
    answer = make_response(redirect(target or _next()))
    token, secure = sessions.device_token(g.session, member.email or ""), platform().config.secure
    answer.set_cookie(_known(), token, max_age=KNOWN_SECONDS, secure=secure, httponly=True, samesite="Lax")
    return answer


def _known() -> str:
    """The cookie of a browser from which somebody has signed in; strangers' guesses do not slow it down."""
    return "__Host-known" if platform().config.secure else "known"


def _confirm_page(member: Member, error: str = "") -> str:
    asks = two_factor.is_on(g.session, member.id)
    return render_template("guildhall/confirm.html", member=member, asks_code=asks, next=_next(), error=error)


def _told(problem: DomainError) -> str:
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


def _next() -> str:
    """Where to go after signing in: a path of this site, never another one."""
    target = request.values.get("next", "")
    local = target.startswith("/") and not target.replace("\\", "/").startswith("//")
    return target if local and target.isprintable() else "/"
