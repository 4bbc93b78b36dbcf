"""The audit page: who did what, when, from where, and why; whether the chain holds; and all of it as a file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import Response, request
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.actor import Actor
from core.admin.pages import PageBlueprint, render
from core.audit.models import AuditRow
from core.audit.reading import SEES, Shown, shown
from core.audit.seal import verify
from core.audit.search import Format, Search, export, lines
from core.clock import now
from core.errors import Invalid
from core.gateway.request import platform
from core.ids import uuid_of
from core.members.models import Member
from core.rest.paging import Page, paginate

pages = PageBlueprint("core_audit", url_prefix="/admin/audit")
# The names of the fields of the page, and what they are in a search.
FIELDS = {"action": "action", "subject_id": "subject", "actor_name": "actor", "since": "since", "until": "until"}
MEDIA: dict[Format, str] = {"csv": "text/csv", "ndjson": "application/x-ndjson"}


@pages.get("", permission="core:audit:list")
def trail(session: Session, actor: Actor) -> Any:
    kept, search = _asked()
    problem = ""
    try:
        cursor = request.args.get("cursor", "")
        page = paginate(session, search.query(), [(AuditRow.id, True)], limit=50, cursor=cursor)
    except Invalid as refused:
        problem = next(iter(refused.details.values()))[0]
        page = Page([])
    page = Page(shown(session, actor, page.items), page.next_cursor)
    people = _people(session, actor, page.items)
    checked = verify(session) if request.args.get("verify") else None
    may_export = actor.can("core:audit:export")
    return render(
        "guildhall/audit.html",
        page=page,
        kept=kept,
        checked=checked,
        problem=problem,
        may_export=may_export,
        people=people,
    )


@pages.get("/export", permission="core:audit:export")
def export_trail(session: Session, actor: Actor) -> Response:
    """What the filters find, as CSV or as one JSON object a line; written into the trail itself."""
    format: Format = "ndjson" if request.args.get("format") == "ndjson" else "csv"
    _kept, search = _asked()
    export(session, actor, search, format)
    response = Response(lines(platform().unit_of_work, search, format), mimetype=MEDIA[format])
    name = f"audit-{now():%Y-%m-%d}.{format}"
    response.headers.set("Content-Disposition", "attachment", filename=name)
    return response


def _people(session: Session, actor: Actor, rows: Sequence[Shown]) -> dict[str, str]:
    """The members that changes hold the numbers of, by name, for who may see members."""
    pairs = (given if isinstance(given, list) else [given] for row in rows for given in row.changes.values())
    held = {found for pair in pairs for value in pair if isinstance(value, str) and (found := uuid_of(value))}
    if not held or not actor.can(SEES):
        return {}
    query = select(Member.id, Member.display_name).where(Member.id.in_(held))
    return {str(member_id): name for member_id, name in session.execute(query).tuples()}


def _asked() -> tuple[dict[str, str], Search]:
    kept = {name: request.args.get(name, "").replace("\0", "").strip()[:200] for name in FIELDS}
    return kept, Search(**{FIELDS[name]: value for name, value in kept.items()})
