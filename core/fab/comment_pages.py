"""The generated pages of comments on a record: read, write, change, delete, fetch a file, find whom to mention."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import flash, g, jsonify, redirect, request
from flask_appbuilder import ModelView, expose
from flask_babel import gettext

from core.clock import now
from core.comments import service, text
from core.comments.models import Comment
from core.errors import DomainError
from core.fab.guard import guarded
from core.fab.tabs import tabs
from core.files.service import most_of_a_request
from core.gateway.request import actor
from core.gateway.sentences import told
from core.i18n import _
from core.ids import uuid_of
from core.resources.resource import BoundResource
from core.rest import sent_forms
from core.rest.paging import paginate

PAGE = 50


def takes_files(view: Any) -> Any:
    """Let the request's body be as large as files may be."""
    view.body_limit = most_of_a_request
    return view


class CommentPages(ModelView):  # type: ignore[misc]
    """What the staff write about the records of a resource."""

    bound: BoundResource

    @expose("/comments/<pk>", methods=["GET"])
    @guarded
    def comments(self, pk: str) -> Any:
        """The comments, the newest first, and the form for another one."""
        return self._comments(pk)

    @expose("/comments/<pk>", methods=["POST"])
    @takes_files
    @guarded
    def comment(self, pk: str) -> Any:
        """Write a comment, perhaps with files."""
        on = self._on(pk)
        sent = [one for one in request.files.getlist("files") if one.filename]
        attachments = [service.Attachment(one.filename or "", one.stream) for one in sent]
        typed, mentions = request.form.get("text", ""), _mentions()

        def write() -> None:
            service.add(g.session, actor(), on, text=typed, mentions=mentions, attachments=attachments)

        def send() -> Any:
            if self._said(write):
                flash(gettext(_("The comment is kept.")), "success")
                return redirect(on.url)
            return self._comments(pk, draft=typed), 422

        return sent_forms.once(g.session, actor(), send)

    @expose("/comments/<pk>/people", methods=["GET"])
    @guarded
    def people(self, pk: str) -> Any:
        """Whom a comment here can mention, by the beginning of a name: ``[{value, text}]``."""
        query = service.staff_query(self._on(pk), request.args.get("q", "").strip()[:60]).limit(8)
        return jsonify([{"value": str(key), "text": name} for key, name in g.session.execute(query)])

    @expose("/comments/<pk>/<uuid:comment>", methods=["POST"])
    @guarded
    def change_comment(self, pk: str, comment: UUID) -> Any:
        on = self._on(pk)
        typed, mentions = request.form.get("text", ""), _mentions()
        self._said(lambda: service.edit(g.session, actor(), on, comment, text=typed, mentions=mentions))
        return redirect(f"{on.url}#comment-{comment}")

    @expose("/comments/<pk>/<uuid:comment>/delete", methods=["POST"])
    @guarded
    def delete_comment(self, pk: str, comment: UUID) -> Any:
        on = self._on(pk)
        if self._said(lambda: service.remove(g.session, actor(), on, comment)):
            flash(gettext(_("The comment is deleted.")), "success")
        return redirect(on.url)

    @expose("/comments/<pk>/<uuid:comment>/files/<uuid:file>", methods=["GET"])
    @guarded
    def comment_file(self, pk: str, comment: UUID, file: UUID) -> Any:
        """Go on to a short-lived link to a file of a comment, for who may see the comment."""
        return redirect(service.file_link(g.session, self._on(pk), comment, file))

    def _on(self, pk: str) -> service.Subject:
        actor().require(service.LIST)
        return service.subject(g.session, actor(), self.bound, pk)

    def _comments(self, pk: str, draft: str = "") -> Any:
        on = self._on(pk)
        record = self.datamodel.get(pk, action="show")
        return self.render_template(
            "guildhall/record_comments.html",
            title=self._title_of(record),
            pk=pk,
            tabs=tabs(self.bound, record, "comments"),
            thread={**thread(on), "draft": draft},
        )

    def _said(self, change: Any) -> bool:
        """Carry out a change in a savepoint; where it is refused, the next page says why, and nothing of it stays."""
        try:
            with g.session.begin_nested():
                change()
        except DomainError as problem:
            if problem.status not in (403, 409, 413, 415, 422, 429):
                raise
            details = problem.details if isinstance(problem.details, dict) else {}
            said = [str(texts[0]) for texts in details.values() if texts]
            flash(" ".join(map(told, said)) or problem.fill(gettext(problem.sentence)), "danger")
            return False
        return True


def thread(on: service.Subject) -> dict[str, Any]:
    """What ``guildhall/comments.html`` shows: the comments on a record, the newest first, and what may be done."""
    cursor = request.args.get("cursor", "")
    page = paginate(g.session, service.query(on), [(Comment.id, True)], limit=PAGE, cursor=cursor)
    names = service.names(g.session, page.items)
    me, may_delete = actor().member_id, actor().can(service.DELETE)
    return {
        "comments": [
            {
                "row": one,
                "author": names.get(one.author_id, gettext(_("Guildhall"))) if one.author_id else "Guildhall",
                "deleter": names.get(one.deleted_by, "") if one.deleted_by else "",
                "html": text.as_html(one.text, names),
                "typed": text.as_typed(one.text, names),
                "may_edit": one.author_id == me and now() - one.created_at <= service.EDITABLE,
                "may_delete": one.author_id == me or may_delete,
            }
            for one in page.items
        ],
        "next_cursor": page.next_cursor,
        "may_write": actor().can(service.CREATE) and actor().impersonator is None,
        "base": on.url,
        "about_member": on.member_id is not None,
        "most_files": service.MOST_FILES,
    }


def _mentions() -> list[UUID]:
    return [key for one in request.form.getlist("mention")[: service.MOST_MENTIONS] if (key := uuid_of(one))]
