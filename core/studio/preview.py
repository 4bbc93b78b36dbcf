"""How the pages of a design look: the generated views and templates themselves, over sample rows that nobody else sees.

It runs in a fork of the child (see ``child``). The tables are temporary ones of one transaction that is rolled back, so
that none is made; the frame of the page is left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask import Flask, g
from flask_babel import force_locale
from jinja2 import ChoiceLoader, FunctionLoader
from sqlalchemy import create_engine, pool
from sqlalchemy.orm import Session

from core.actor import Actor
from core.db import session as sessions
from core.db.session import Database
from core.fab.views import class_name, view_of
from core.gateway.request import owned_by
from core.platform import Platform
from core.plugin import Plugin
from core.resources.resource import BoundResource
from core.studio.samples import key_of, lay_out

VIEWS = {"list": "list", "form": "add", "record": "show"}
LIMITS = "-c timezone=UTC -c lock_timeout=2s -c statement_timeout=10s -c idle_in_transaction_session_timeout=60s"


class _OneTransaction(Database):
    """Every session is on one connection, whose transaction nobody commits."""

    connection: Any

    def session(self, actor: Actor | None = None) -> Session:
        return Session(
            self.connection,
            expire_on_commit=False,
            join_transaction_mode="create_savepoint",
            info={**self.info, "actor": actor},
        )


def shown(platform: Platform, app: Flask, plugin: Plugin, question: dict[str, Any]) -> dict[str, Any]:
    """The HTML of one page of the resource that ``question`` names."""
    registry = platform.registry
    ours = [one for one in registry.resources.values() if one.plugin == plugin.name]
    bound = next((one for one in ours if one.name == question["resource"]), None)
    if bound is None:
        return {"error": f"there is no resource {question['resource']}"}
    app.jinja_loader = ChoiceLoader([FunctionLoader(_frame(app)), app.jinja_loader])  # type: ignore[list-item]
    engine = create_engine(
        platform.database.url,
        poolclass=pool.NullPool,
        connect_args={"application_name": "guildhall studio", "options": LIMITS},
    )
    with engine.connect() as connection:
        transaction = connection.begin()
        try:
            database = _OneTransaction(platform.database.url, info=platform.database.info)
            database.connection = connection
            platform.database = database
            return {"html": _rendered(app, database, bound, ours, question)}
        finally:
            transaction.rollback()


def _announce(app: Flask, bound: BoundResource) -> None:
    """Register the views of a resource, as at a start; labels are asked for in somebody's language, so in a request."""
    app.appbuilder.sm.resources[bound.key] = bound  # type: ignore[attr-defined]
    app.appbuilder.sm.views[class_name(bound)] = bound.key  # type: ignore[attr-defined]
    app.appbuilder.add_view_no_menu(view_of(bound))  # type: ignore[attr-defined]
    owned_by(app, bound.plugin, class_name(bound))


def _frame(app: Flask) -> Any:
    """A loader that has a lean frame in place of the one all pages share."""

    def load(name: str) -> str | None:
        if name != "guildhall/base.html":
            return None
        assert app.jinja_loader is not None
        return str(app.jinja_loader.get_source(app.jinja_env, "guildhall/studio_frame.html")[0])

    return load


def _rendered(
    app: Flask, database: _OneTransaction, bound: BoundResource, ours: list[BoundResource], question: dict[str, Any]
) -> str:
    page = VIEWS[question["page"]]
    path = f"{bound.page_path}/{page}/"
    if page == "show":
        path = f"{bound.page_path}/show/{_first_key(bound)}"
    actor = Actor(kind="system", name="Studio", locale=question["locale"], roles=("Admin",), request_id="studio")
    headers = {"Cookie": f"theme={question['theme']}"}
    with _asking(app, database, actor, "/", headers):
        for one in ours:
            _announce(app, one)
    address = path.rstrip("/") if page == "add" else path
    with _asking(app, database, actor, address, headers), force_locale(question["locale"]):
        lay_out(database.connection, ours)
        view: Any = app.view_functions[f"{class_name(bound)}.{page}"]
        answer = view(pk=str(_first_key(bound))) if page == "show" else view()
    return answer if isinstance(answer, str) else str(app.make_response(answer).get_data(as_text=True))


@contextmanager
def _asking(app: Flask, database: _OneTransaction, actor: Actor, path: str, headers: dict[str, str]) -> Iterator[None]:
    """Within it, a request is answered: opened as the gateway does, which closes it."""
    with app.test_request_context(path, headers=headers):
        g.actor, g.request_id, g.session = actor, "studio", database.session(actor)
        g.session_token = sessions._current.set(g.session)
        yield


def _first_key(bound: BoundResource) -> Any:
    table: Any = bound.resource.model.__table__
    return key_of(table.name, 0)
