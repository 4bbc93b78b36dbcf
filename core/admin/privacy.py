"""The pages of personal data: what is held, a copy of it, its erasure. One's own, and any member's for admins."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import request
from sqlalchemy.orm import Session

from core import settings
from core.actor import Actor
from core.admin import member_tabs
from core.admin.pages import PageBlueprint, flash, redirect, render, tried
from core.errors import NotFound
from core.i18n import _
from core.members.models import Member
from core.platform_settings import PlatformSettings
from core.privacy import erase, export

pages = PageBlueprint("core_privacy", url_prefix="/")


@pages.get("/profile/data", signed_in=True)
def own(session: Session, actor: Actor) -> Any:
    return _page(session, actor, _me(actor), "/profile/data")


@pages.post("/profile/data/export", signed_in=True, step_up=True)
def ask_export(session: Session, actor: Actor) -> Any:
    return _export(session, actor, _me(actor), "/profile/data")


@pages.get("/profile/data/export/<uuid:export_id>", signed_in=True, step_up=True)
def fetch_export(session: Session, actor: Actor, export_id: UUID) -> Any:
    """Go on to a signed link to a copy that is ready; admins come here too."""
    return redirect(export.link(session, actor, export_id))


@pages.post("/profile/data/erase", signed_in=True, step_up=True)
def ask_erasure(session: Session, actor: Actor) -> Any:
    if tried(session, lambda: erase.ask(session, actor)):
        flash(_("Your account will be erased. Until then you can withdraw it here."), "warning")
    return redirect("/profile/data")


@pages.post("/profile/data/erase/withdraw", signed_in=True)
def withdraw_own(session: Session, actor: Actor) -> Any:
    return _withdraw(session, actor, _me(actor), "/profile/data")


@pages.get("/admin/members/<uuid:key>/data", permission="core:member:export")
def of_member(session: Session, actor: Actor, key: UUID) -> Any:
    return _page(session, actor, key, f"/admin/members/{key}/data")


@pages.post("/admin/members/<uuid:key>/data/export", permission="core:member:export", step_up=True)
def ask_export_of(session: Session, actor: Actor, key: UUID) -> Any:
    return _export(session, actor, key, f"/admin/members/{key}/data")


@pages.post("/admin/members/<uuid:key>/data/erase", permission="core:member:erase", step_up=True)
def order_erasure(session: Session, actor: Actor, key: UUID) -> Any:
    """Close the account at once, and have a worker erase the member."""
    reason, typed = request.form.get("reason", ""), request.form.get("typed", "")
    if tried(session, lambda: erase.order(session, actor, key, reason=reason, typed=typed)):
        flash(_("The account is closed, and the member is being erased."), "warning")
    return redirect(f"/admin/members/{key}/data")


@pages.post("/admin/members/<uuid:key>/data/erase/withdraw", permission="core:member:erase")
def withdraw_of(session: Session, actor: Actor, key: UUID) -> Any:
    return _withdraw(session, actor, key, f"/admin/members/{key}/data")


def _page(session: Session, actor: Actor, member_id: UUID, base: str) -> str:
    member = session.get(Member, member_id)
    if member is None:
        raise NotFound()
    return render(
        "guildhall/member_data.html",
        member=member,
        mine=member_id == actor.member_id and base.startswith("/profile"),
        base=base,
        copy=export.latest(session, member_id),
        erasure=erase.waiting(session, member_id),
        erased=erase.is_erased(session, member_id),
        limits=settings.read(session, PlatformSettings),
        tabs=[] if base.startswith("/profile") else member_tabs.tabs(session, actor, member, "data"),
    )


def _export(session: Session, actor: Actor, member_id: UUID, base: str) -> Any:
    if tried(session, lambda: export.ask(session, actor, member_id)):
        flash(_("The copy is being made. It can be fetched here as soon as it is ready."))
    return redirect(base)


def _withdraw(session: Session, actor: Actor, member_id: UUID, base: str) -> Any:
    if tried(session, lambda: erase.withdraw(session, actor, member_id)):
        flash(_("The erasure is withdrawn. Nothing was taken out."))
    return redirect(base)


def _me(actor: Actor) -> UUID:
    assert actor.member_id is not None
    return actor.member_id
