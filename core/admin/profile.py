"""One's own account in the browser: sessions, two-factor sign-in."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import request
from flask_babel import gettext
from markupsafe import Markup
from sqlalchemy.orm import Session

from core.actor import Actor
from core.admin.pages import PageBlueprint, flash, redirect, render
from core.errors import Limit
from core.gateway.request import without_two_factor
from core.i18n import _
from core.members import factors, sessions, two_factor

pages = PageBlueprint("core_profile", url_prefix="/profile")


@pages.post("/sessions/<uuid:key>/revoke", signed_in=True)
def end_session(session: Session, actor: Actor, key: UUID) -> Any:
    sessions.revoke_own(session, _me(actor), key)
    flash(_("That session has ended."))
    return redirect("/profile")


@pages.post("/sessions/revoke-others", signed_in=True)
def end_other_sessions(session: Session, actor: Actor) -> Any:
    sessions.revoke_all(session, _me(actor), but=actor.session_id)
    flash(_("All your other sessions have ended."))
    return redirect("/profile")


@pages.get("/two-factor", signed_in=True, step_up=True)
@without_two_factor
def set_up(session: Session, actor: Actor) -> Any:
    """The secret as QR code and text, and the form for the first code."""
    if "totp" in factors.of(session, _me(actor)):
        return redirect("/profile")
    return _set_up_page(session, actor)


@pages.post("/two-factor", signed_in=True, step_up=True)
@without_two_factor
def enable(session: Session, actor: Actor) -> Any:
    try:
        codes = two_factor.enable(session, actor, _me(actor), request.form.get("code", ""))
    except (two_factor.CodeRefused, Limit) as problem:
        told = problem.fill(gettext(problem.sentence))
        return _set_up_page(session, actor, told), 422 if isinstance(problem, two_factor.CodeRefused) else 429
    return recovery_codes_page(codes)


@pages.post("/two-factor/recovery-codes", signed_in=True, step_up=True)
def renew_recovery_codes(session: Session, actor: Actor) -> Any:
    return render("guildhall/recovery_codes.html", codes=two_factor.renew_recovery_codes(session, actor, _me(actor)))


@pages.post("/two-factor/disable", signed_in=True, step_up=True)
def disable(session: Session, actor: Actor) -> Any:
    """Turn the second factor that the form names off, or all of them."""
    kind = next((one for one in factors.KINDS if one == request.form.get("method")), None)
    if kind is None:
        two_factor.disable(session, actor, _me(actor))
    else:
        two_factor.turn_off(session, actor, _me(actor), kind)
    if two_factor.is_on(session, _me(actor)):
        flash(_("Such codes are no longer a second step."))
    else:
        flash(_("Two-factor sign-in is off. Your password alone signs you in."), "warning")
    return redirect("/profile")


def recovery_codes_page(codes: list[str]) -> Any:
    """Shows new recovery codes; who has some already, of another second factor, goes back to the profile."""
    if codes:
        return render("guildhall/recovery_codes.html", codes=codes)
    flash(_("From now on the second step takes this code, too. Your recovery codes stay good."))
    return redirect("/profile")


def _set_up_page(session: Session, actor: Actor, error: str = "") -> str:
    made = two_factor.begin(session, _me(actor))
    import segno

    # The picture is made here and stands in the page: the secret goes to no other address.
    picture = segno.make(made.address, error="m").svg_inline(scale=5, border=2, dark="#000", light="#fff")
    spaced = " ".join(made.secret[start : start + 4] for start in range(0, len(made.secret), 4))
    return render("guildhall/two_factor.html", picture=Markup(picture), secret=spaced, error=error)


def _me(actor: Actor) -> UUID:
    assert actor.member_id is not None
    return actor.member_id
