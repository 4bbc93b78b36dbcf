"""The generated pages of what was: a record's history, bringing a change back, records that were deleted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from flask import flash, g, redirect, request, url_for
from flask_appbuilder import ModelView, expose
from flask_babel import gettext
from sqlalchemy.exc import DBAPIError

from core.errors import DomainError, NotFound
from core.fab.differences import Teller
from core.fab.forms import label_of
from core.fab.guard import guarded
from core.fab.tabs import tabs
from core.gateway.request import actor
from core.gateway.sentences import told
from core.history import reading, restore
from core.history.reading import Change
from core.i18n import _
from core.refusals import domain_error
from core.resources.resource import BoundResource

PAGE = 25


class HistoryPages(ModelView):  # type: ignore[misc]
    """What happened to the records of a resource, and the way back."""

    bound: BoundResource

    @expose("/history/<pk>", methods=["GET"])
    @guarded
    def history(self, pk: str) -> Any:
        """Who changed what, when and why, the newest first."""
        actor().require(reading.SEES)
        record = self.datamodel.get(pk, action="show")
        cursor = request.args.get("cursor", "")
        page = reading.changes(g.session, actor(), self.bound, self.bound.key_of(record), limit=PAGE, cursor=cursor)
        return self.render_template(
            "guildhall/record_history.html",
            title=self._title_of(record),
            pk=pk,
            tabs=tabs(self.bound, record, "history"),
            changes=shown(self.bound, page.items),
            next_cursor=page.next_cursor,
            may_update="update" in self.bound.resource.actions and actor().can(self.bound.permission("update")),
        )

    @expose("/history/<pk>/<uuid:change>", methods=["GET"])
    @guarded
    def undo(self, pk: str, change: UUID) -> Any:
        """What bringing back the state before a change would do."""
        return self._preview(self.datamodel.get(pk, action="update"), pk, change)

    @expose("/history/<pk>/<uuid:change>", methods=["POST"])
    @guarded
    def bring_back(self, pk: str, change: UUID) -> Any:
        """Give the chosen fields the values they had before a change."""
        record = self.datamodel.get(pk, action="update")
        keys, token = request.form.getlist("field"), request.form.get("token", "")
        reason = request.form.get("reason", "")
        if self._done(
            lambda: restore.restore(
                g.session, actor(), self.bound, record, change, keys=keys, token=token, reason=reason
            )
        ):
            flash(gettext(_("What was is back.")), "success")
            return redirect(url_for(f"{self.endpoint}.history", pk=pk))
        g.session.refresh(record)
        return self._preview(record, pk, change, chosen=keys, reason=reason)

    @expose("/deleted/", methods=["GET"])
    @guarded
    def deleted(self) -> Any:
        """The records that were deleted, the latest first."""
        page = reading.deleted(g.session, actor(), self.bound, limit=PAGE, cursor=request.args.get("cursor", ""))
        return self.render_template(
            "guildhall/record_deleted.html",
            title=gettext(_("Deleted: %(what)s"), what=gettext(self.bound.label_plural).lower()),
            changes=shown(self.bound, page.items),
            next_cursor=page.next_cursor,
        )

    @expose("/deleted/<uuid:change>", methods=["GET"])
    @guarded
    def deleted_one(self, change: UUID) -> Any:
        """One record that was deleted: what it was, and whether it can be brought back."""
        return self._deleted(change)

    @expose("/deleted/<uuid:change>", methods=["POST"])
    @guarded
    def recreate(self, change: UUID) -> Any:
        """Write a deleted record anew."""
        made: list[Any] = []
        reason = request.form.get("reason", "")
        if self._done(lambda: made.append(restore.recreate(g.session, actor(), self.bound, change, reason=reason))):
            flash(gettext(_("%(label)s is back."), label=gettext(self.bound.label)), "success")
            return redirect(self._url("show", made[0]))
        return self._deleted(change, reason=reason)

    def _preview(self, record: Any, pk: str, change: UUID, chosen: Any = None, reason: str = "") -> Any:
        found = restore.preview(g.session, actor(), self.bound, record, change)
        teller = Teller(self.bound, [(line.key, value) for line in found.lines for value in (line.now, line.then)])
        lines = [
            {
                "key": line.key,
                "label": gettext(label_of(self.bound, line.key)),
                "now": teller.show(line.key, line.now),
                "then": teller.show(line.key, line.then),
                "diff": teller.diff(line.key, line.now, line.then),
                "state": line.state,
                "why": told(line.why),
                "chosen": line.key in chosen if chosen is not None else line.state == "will",
            }
            for line in found.lines
        ]
        since = None
        if any(line.state == "changed" for line in found.lines):
            since = reading.latest(g.session, actor(), self.bound, self.bound.key_of(record))
        return self.render_template(
            "guildhall/record_undo.html",
            title=self._title_of(record),
            pk=pk,
            preview=found,
            lines=lines,
            since=since,
            problem=told(found.problem),
            reason=reason,
        )

    def _deleted(self, change: UUID, reason: str = "") -> Any:
        found = reading.change(g.session, actor(), self.bound, change)
        if found.verb != "deleted":
            raise NotFound()
        if self.bound.visible(actor()) is not None:
            actor().require("core:audit:list")
        there = bool(reading.existing(g.session, self.bound, [found.subject_id]))
        may = "create" in self.bound.resource.actions and actor().can(self.bound.permission("create"))
        why = restore.obstacle(g.session, actor(), self.bound, found) if may else ""
        [one] = shown(self.bound, [found])
        return self.render_template(
            "guildhall/record_deleted_one.html",
            title=one["title"],
            one=one,
            there=there,
            may=may,
            obstacle=told(why),
            reason=reason,
        )

    def _done(self, change: Any) -> bool:
        """Carry out a change in a savepoint; where it is refused, the page says why, and nothing of it stays."""
        try:
            with g.session.begin_nested():
                change()
        except (DomainError, DBAPIError) as problem:
            known = domain_error(problem)
            if known is None or known.status not in (403, 409, 422):
                raise
            details = known.details if isinstance(known.details, dict) else {}
            said = [str(text) for texts in details.values() for text in (texts if isinstance(texts, list) else [texts])]
            flash(" ".join(map(told, said)) or known.fill(gettext(known.sentence)), "danger")
            return False
        return True


def shown(bound: BoundResource, changes: Sequence[Change]) -> list[dict[str, Any]]:
    """Changes as a page shows them, with the values of all of them told at once."""
    every = [(one.key, value) for change in changes for one in change.differences for value in (one.before, one.after)]
    teller = Teller(bound, every)
    return [
        {
            "change": change,
            "title": _called(bound, change),
            "fields": [
                {
                    "key": one.key,
                    "label": gettext(label_of(bound, one.key)),
                    "before": teller.show(one.key, one.before),
                    "after": teller.show(one.key, one.after),
                    "diff": teller.diff(one.key, one.before, one.after),
                }
                for one in change.differences
            ],
        }
        for change in changes
    ]


def _called(bound: BoundResource, change: Change) -> str:
    """What a record that is gone was called: the first of its searched or listed texts, else its key."""
    told_values = {one.key: one.before if change.verb == "deleted" else one.after for one in change.differences}
    for key in (*bound.resource.search, *bound.resource.columns, "name", "title", "label"):
        if isinstance(value := told_values.get(key), str) and value:
            return value
    key = change.subject_id
    return f"{gettext(bound.label)} {key if len(key) < 20 else key[-6:]}"
