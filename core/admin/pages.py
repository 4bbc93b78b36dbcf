"""Pages of a plugin: a blueprint whose views get the session and the actor, as REST's do.

::

    pages = PageBlueprint("badges")

    @pages.get("/gallery", permission="badges:badge:list")
    def gallery(session, actor):
        return render("badges/gallery.html", badges=queries.gallery(session))
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import Blueprint, g, render_template
from flask import flash as flask_flash
from flask import redirect as flask_redirect
from flask_babel import gettext
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from core.errors import DomainError
from core.gateway.request import actor as current_actor
from core.rest import sent_forms
from core.routes import Route, route_of
from core.switches import service as switches

View = Callable[..., Any]


class PageBlueprint(Blueprint):
    """HTML pages of one plugin, under ``/admin/<plugin>``; each names its permission, ``signed_in`` or ``public``.

    ``step_up`` asks for the password again unless it was given in the last ten minutes; a form is kept meanwhile.
    ``once`` carries a form out once however often it is sent; where its answer shows a secret, ``once`` is the address
    for who sends it again. ``moves_value``, which includes both, is refused while a switch of the plugin with
    ``value_routes`` is pulled. The form must contain ``ui.csrf()``.
    """

    def __init__(self, plugin: str, url_prefix: str | None = None) -> None:
        path = plugin.replace("_", "-")
        self.plugin = plugin
        self.routes: list[Route] = []
        super().__init__(f"{plugin}_pages", "guildhall", url_prefix=url_prefix or f"/admin/{path}")

    def get(self, rule: str, **access: Any) -> Callable[[View], View]:  # type: ignore[override]
        return self._method("GET", rule, **access)

    def post(self, rule: str, **access: Any) -> Callable[[View], View]:  # type: ignore[override]
        return self._method("POST", rule, **access)

    def _method(
        self,
        method: str,
        rule: str,
        *,
        permission: str | None = None,
        signed_in: bool = False,
        public: bool = False,
        step_up: bool = False,
        once: bool | str = False,
        moves_value: bool = False,
    ) -> Callable[[View], View]:
        if sum((permission is not None, signed_in, public)) != 1:
            raise TypeError(f"{method} {rule}: say exactly one of permission, signed_in and public")

        self.routes.append(route_of(method, rule))

        def declare(view: View) -> View:
            @wraps(view)
            def guarded(**path: Any) -> Any:
                actor = current_actor()
                if permission:
                    actor.require(permission)
                elif signed_in:
                    actor.require_session()
                if step_up or moves_value:
                    actor.require_step_up()
                if moves_value:
                    switches.require_value_routes(g.session, self.plugin)
                if once or moves_value:
                    again = once if isinstance(once, str) else ""
                    return sent_forms.once(g.session, actor, lambda: view(g.session, actor, **path), again=again)
                return view(g.session, actor, **path)

            guarded.permission = permission  # type: ignore[attr-defined]
            guarded.moves_value = moves_value  # type: ignore[attr-defined]
            guarded.access = permission or ("signed_in" if signed_in else "public")  # type: ignore[attr-defined]
            self.add_url_rule(rule, f"{view.__name__}_{method.lower()}", guarded, methods=[method])
            return guarded

        return declare


def render(template: str, **context: Any) -> str:
    """A page from a template of the plugin or of the core."""
    return render_template(template, **context)


def redirect(url: str) -> Response:
    """Go on to ``url`` with GET."""
    return flask_redirect(url, 303)


def flash(sentence: str, level: str = "success", **params: Any) -> None:
    """Show a sentence (marked by ``_``) on the next page; ``level``: success, info, warning, danger."""
    flask_flash(gettext(sentence).format(**params), level)


def tried(session: Session, change: Callable[[], Any]) -> bool:
    """Carry out a change in a savepoint; where it is refused, the next page says why, and nothing of it stays."""
    try:
        with session.begin_nested():
            change()
    except DomainError as problem:
        if problem.page or problem.status not in (403, 409, 413, 415, 422):
            raise
        g.refused = True
        details = problem.details if isinstance(problem.details, dict) else {}
        sentence = next((str(texts[0]) for texts in details.values()), "")
        if sentence:  # it may quote what somebody typed, braces too
            flash("{reason}", "danger", reason=gettext(sentence))
        else:
            flash(problem.sentence, "danger", **problem.params)
        return False
    return True
