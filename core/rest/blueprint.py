"""The blueprint that every REST route is declared on.

::

    rest = RestBlueprint("wallet")

    @rest.post("/transfer", permission="wallet:transfer:create", idempotent=True)
    @rest.arguments(TransferBody)
    @rest.response(201, TransferSchema)
    def transfer(session, actor, body): ...
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import wraps
from typing import Any

import flask_smorest
import marshmallow as ma
from flask import Response, g, jsonify, request
from flask_smorest.utils import resolve_schema_instance
from sqlalchemy.orm import Session

from core.errors import Unauthenticated
from core.gateway.limits import DECLARED
from core.gateway.request import actor as current_actor
from core.rest import fields, idempotency
from core.rest.body import BodyParser
from core.rest.paging import Page
from core.rest.schema import Schema
from core.routes import Route, route_of
from core.switches import service as switches

View = Callable[..., Any]


class Meta(ma.Schema):
    """The part of every answer that is about the answer."""

    request_id = fields.String()
    page = fields.Dict(keys=fields.String(), values=fields.Raw(allow_none=True))


class ErrorBody(ma.Schema):
    code = fields.String(required=True, metadata={"description": "Stable UPPER_SNAKE name."})
    message = fields.String(required=True, metadata={"description": "A sentence a person can act on."})
    details = fields.Raw(allow_none=True)


class Failure(ma.Schema):
    """What every failure answers."""

    success = fields.Boolean(required=True, metadata={"enum": [False]})
    error = fields.Nested(ErrorBody, required=True)
    meta = fields.Nested(Meta, required=True)


class RestBlueprint(flask_smorest.Blueprint):
    """REST routes of one plugin, under ``/api/v1/<plugin>``.

    A view is called ``view(session, actor, *arguments, **path)`` inside the request's unit of work and returns
    what its schema dumps, a ``Page``, or None. Each route names who may use it: ``permission``, ``signed_in`` or
    ``public``. ``idempotent`` makes a POST take an Idempotency-Key. ``limit`` names the class
    the route is counted in, such as ``payment``, instead of the caller's general one. ``body_limit`` is the most bytes
    its body may have, or a function of the session that says it, where one megabyte (ten with files) is not what it
    needs. ``reads`` says that a POST changes nothing: it is served while writing by REST is switched off, and to an
    admin who only looks around as a member. ``any_key`` lets every API key in; the view asks for its bundle itself.
    ``moves_value`` marks what staff does with points or money: it takes a fresh proof of a person, or an API key.

    ``routes`` are what was declared; a route among ``replaced`` is left out, since another one stands there.
    """

    ARGUMENTS_PARSER = BodyParser()

    def __init__(
        self, plugin: str, description: str = "", *, part: str = "", prefix: str = "", replaced: Collection[Route] = ()
    ) -> None:
        self.plugin = plugin
        self.routes: list[Route] = []
        self._replaced = replaced
        name = f"{plugin}_{part}" if part else plugin
        prefix = prefix or f"/api/v1/{plugin.replace('_', '-')}"
        super().__init__(name, "guildhall", url_prefix=prefix, description=description)

    def get(self, rule: str, **access: Any) -> Callable[[View], View]:
        return self._method("GET", rule, **access)

    def post(self, rule: str, **access: Any) -> Callable[[View], View]:
        return self._method("POST", rule, **access)

    def put(self, rule: str, **access: Any) -> Callable[[View], View]:
        return self._method("PUT", rule, **access)

    def patch(self, rule: str, **access: Any) -> Callable[[View], View]:
        return self._method("PATCH", rule, **access)

    def delete(self, rule: str, **access: Any) -> Callable[[View], View]:
        return self._method("DELETE", rule, **access)

    def arguments(self, schema: Any, *, location: str = "json", **options: Any) -> Callable[[View], View]:
        """Check the body (or the query) with ``schema`` and give the view what it loads to."""
        check: Callable[[View], View] = super().arguments(schema, location=location, **options)
        return check

    @staticmethod
    def doc(**about: Any) -> Callable[[View], View]:
        """Add to what the API description says of the route."""
        describe: Callable[[View], View] = flask_smorest.Blueprint.doc(**about)
        return describe

    def _method(
        self,
        method: str,
        rule: str,
        *,
        permission: str | None = None,
        signed_in: bool = False,
        public: bool = False,
        idempotent: bool = False,
        limit: str | None = None,
        body_limit: int | Callable[[Session], int] | None = None,
        step_up: bool = False,
        moves_value: bool = False,
        reads: bool = False,
        any_key: bool = False,
    ) -> Callable[[View], View]:
        if sum((permission is not None, signed_in, public)) != 1:
            raise TypeError(f"{method} {rule}: say exactly one of permission, signed_in and public")
        if public and idempotent:
            raise TypeError(f"{method} {rule}: a public route cannot tell whose Idempotency-Key it is given")

        if limit is not None and limit not in DECLARED:
            raise TypeError(f"{method} {rule}: there is no limit class {limit}, but {', '.join(DECLARED)}")

        route = route_of(method, rule)
        if route in self._replaced:
            return lambda view: view
        self.routes.append(route)

        def declare(view: View) -> View:
            @wraps(view)
            def guarded(**path: Any) -> Response:
                actor = current_actor()
                if permission:
                    actor.require(permission)
                elif signed_in and any_key:
                    if actor.member_id is None:
                        raise Unauthenticated()
                elif signed_in:
                    actor.require_session(or_bundle=f"{self.plugin}:{'read' if method == 'GET' else 'write'}")
                if step_up or moves_value:
                    actor.require_step_up(or_key=moves_value)

                def run() -> Response:
                    answer: Response = view(g.session, actor, **path)
                    return answer

                if not idempotent:
                    return run()
                switches.require_value_routes(g.session, self.plugin)
                scope = f"{actor.member_id or actor.name}:{method} {request.path}"[:200]
                return idempotency.once(g.session, scope, run)

            guarded.permission = permission  # type: ignore[attr-defined]
            guarded.access = permission or ("signed_in" if signed_in else "public")  # type: ignore[attr-defined]
            about = self._about(view, permission, public, idempotent)
            if step_up or moves_value:
                about["x-step-up"] = True
            documented = self.doc(**about)(guarded)
            documented = self.alt_response("default", schema=Failure, description="Failure")(documented)
            documented.permission = permission
            documented.moves_value = moves_value
            documented.limit = limit
            documented.body_limit = body_limit
            documented.reads = reads
            self.add_url_rule(rule, view.__name__, documented, methods=[method], tags=[self.plugin])
            return documented

        return declare

    def _about(self, view: View, permission: str | None, public: bool, idempotent: bool) -> dict[str, Any]:
        about: dict[str, Any] = {"operationId": f"{self.plugin}_{view.__name__}"}
        about["security"] = [] if public else [{"bearer": []}]
        if permission:
            about["x-permission"] = permission
        if idempotent:
            told = getattr(view, "_apidoc", {}).get("manual_doc", {}).get("parameters", ())
            about["parameters"] = [
                *told,
                {"in": "header", "name": idempotency.HEADER, "required": False, "schema": {"type": "string"}},
            ]
        return about

    def response(
        self, status_code: Any, schema: Any = None, *, plain: bool = False, **documentation: Any
    ) -> Callable[[View], View]:
        """Dump what the view returns with ``schema`` and put it in the envelope; ``plain`` leaves the envelope out."""
        shape = resolve_schema_instance(schema) if schema is not None else None
        decorate = super().response(status_code, shape if plain else _enveloped(shape), **documentation)

        def around(view: View) -> View:
            @wraps(view)
            def enveloped(*arguments: Any, **path: Any) -> Response:
                result = view(*arguments, **path)
                if isinstance(result, Response):
                    return result
                meta: dict[str, Any] = {"request_id": g.request_id}
                if isinstance(result, Page):
                    meta["page"] = {"next_cursor": result.next_cursor}
                    result = result.items
                data = shape.dump(result) if shape else result
                response = jsonify(data if plain else {"success": True, "data": data, "meta": meta})
                response.status_code = int(status_code)
                return response

            answer: View = decorate(enveloped)
            return answer

        return around


_ANSWERS: dict[tuple[Any, ...], ma.Schema] = {}


def _enveloped(shape: ma.Schema | None) -> ma.Schema:
    """The schema of a whole answer, for the API description; one for each shape, so that it has one name there."""
    if shape is None:
        key: tuple[Any, ...] = (None,)
    else:
        key = (type(shape), shape.many, shape.only and frozenset(shape.only), frozenset(shape.exclude))
    if key not in _ANSWERS:
        _ANSWERS[key] = _answer_schema(shape)
    return _ANSWERS[key]


def _answer_schema(shape: ma.Schema | None) -> ma.Schema:
    content: Any = fields.Raw(allow_none=True)
    name = "Empty"
    if shape is not None:
        name = type(shape).__name__.removesuffix("Schema") + ("List" if shape.many else "")
        only = None if shape.only is None else tuple(shape.only)
        one = fields.Nested(type(shape), only=only, exclude=tuple(shape.exclude))
        content = fields.List(one) if shape.many else one
    whole: Mapping[str, Any] = {
        "success": fields.Boolean(required=True, metadata={"enum": [True]}),
        "data": content,
        "meta": fields.Nested(Meta, required=True),
    }
    return ma.Schema.from_dict(dict(whole), name=f"{name}Answer")()


__all__ = ["Failure", "Page", "RestBlueprint", "Schema"]
