"""The audit page: who did what, when, from where, and why; and whether the chain holds."""

from __future__ import annotations

from typing import Any

from flask import request
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.actor import Actor
from core.admin.pages import PageBlueprint, render
from core.audit.models import AuditRow
from core.audit.seal import verify
from core.rest.paging import paginate

pages = PageBlueprint("core_audit", url_prefix="/admin/audit")


@pages.get("", permission="core:audit:list")
def trail(session: Session, actor: Actor) -> Any:
    query = select(AuditRow)
    kept = {name: request.args.get(name, "").strip() for name in ("action", "subject_id", "actor_name")}
    for name, value in kept.items():
        if value:
            query = query.where(getattr(AuditRow, name) == value)
    page = paginate(session, query, [(AuditRow.id, True)], limit=50, cursor=request.args.get("cursor", ""))
    checked = verify(session) if request.args.get("verify") else None
    return render("guildhall/audit.html", page=page, kept=kept, checked=checked)
