"""Sign in, sign out, one's own profile."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, g, render_template, request, url_for
from flask import session as cookie
from flask_babel import gettext

from core.admin.pages import flash, redirect
from core.errors import DomainError, Unauthenticated
from core.gateway.errors import domain_error
from core.gateway.request import actor
from core.i18n import _
from core.members import service, sessions
from core.members.models import Member

blueprint = Blueprint("account", "guildhall")


@blueprint.get("/login")
def login() -> Any:
    if actor().member_id:
        return redirect(_next())
    return render_template("guildhall/login.html", title=gettext(_("Sign in")), next=_next(), email="")


@blueprint.post("/login")
def sign_in() -> Any:
    email, password = request.form.get("email", ""), request.form.get("password", "")
    try:
        with g.session.begin_nested():
            member = service.authenticate(g.session, email=email, password=password)
    except DomainError as problem:
        known = domain_error(problem) or problem
        message = known.fill(gettext(known.sentence))
        page = render_template(
            "guildhall/login.html", title=gettext(_("Sign in")), next=_next(), email=email, error=message
        )
        return page, 401
    if session_id := actor().session_id:
        sessions.revoke(g.session, session_id)
    cookie.clear()  # nothing from before the sign-in survives it
    agent = request.headers.get("User-Agent")
    _row, token = sessions.start(g.session, member, kind="cookie", ip=request.remote_addr, device=agent)
    cookie["sid"] = token
    return redirect(_next())


@blueprint.post("/logout")
def logout() -> Any:
    if session_id := actor().session_id:
        sessions.revoke(g.session, session_id)
    cookie.clear()
    return redirect(url_for("account.login"))


@blueprint.get("/profile")
def profile() -> Any:
    member = g.session.get(Member, _me())
    return render_template("guildhall/profile.html", member=member, title=gettext(_("My profile")))


@blueprint.post("/profile/password")
def change_password() -> Any:
    """Change one's own password; every other session ends."""
    member = g.session.get(Member, _me())
    try:
        with g.session.begin_nested():
            service.authenticate(g.session, email=member.email or "", password=request.form.get("current", ""))
            service.set_password(g.session, actor(), member.id, request.form.get("password", ""))
    except DomainError as problem:
        details = problem.details if isinstance(problem.details, dict) else {}
        sentence = next((texts[0] for texts in details.values()), problem.sentence)
        flash(problem.fill(sentence), "danger")
        return redirect(url_for("account.profile"))
    sessions.revoke_all(g.session, member.id)
    cookie.clear()
    agent = request.headers.get("User-Agent")
    cookie["sid"] = sessions.start(g.session, member, kind="cookie", ip=request.remote_addr, device=agent)[1]
    flash(_("Your password is changed; all other sessions have ended."))
    return redirect(url_for("account.profile"))


def _me() -> Any:
    if actor().member_id is None:
        raise Unauthenticated()
    return actor().member_id


def _next() -> str:
    """Where to go after signing in: a path of this site, never another one."""
    target = request.values.get("next", "")
    local = target.startswith("/") and not target.replace("\\", "/").startswith("//")
    return target if local and target.isprintable() else "/"
