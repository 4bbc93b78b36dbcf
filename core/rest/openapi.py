"""The API description: one OpenAPI 3.1 document of every enabled plugin."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import flask_smorest
from flask import Flask, Response, g, jsonify, render_template

from core import lifecycle
from core.gateway.headers import own_sources
from core.gateway.request import owned_by
from core.rest import access as member_access
from core.rest import compatibility, fields
from core.rest.blueprint import Failure, RestBlueprint
from core.rest.described import complete
from core.rest.own import rest as core_rest
from core.rest.resource import add_routes

if TYPE_CHECKING:
    from core.platform import Platform
    from core.resources.resource import BoundResource

POLICY = (
    "default-src 'none'; script-src {ours}; style-src {ours} 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class Api(flask_smorest.Api):  # type: ignore[misc]
    """flask-smorest without its error handlers (ours serve HTML too) and without its documentation pages."""

    ERROR_SCHEMA = Failure

    def _register_error_handlers(self) -> None: ...


def install(
    app: Flask,
    platform: Platform,
    also: Sequence[RestBlueprint] = (),
    further: Sequence[Callable[[RestBlueprint, BoundResource], None]] = (),
) -> None:
    """Register every plugin's REST blueprint, generated routes included, and the document of them all.

    ``also`` are further blueprints of the core, of parts that build on this one; ``further`` add routes of theirs to
    each resource.
    """
    app.config.update(
        API_TITLE="Guildhall", API_VERSION=platform.registry.plugins["core"].version, OPENAPI_VERSION="3.1.0"
    )
    api = Api(app)
    api.register_field(fields.Units, "string", None)
    api.register_field(fields.Money, "object", None)
    api.register_field(fields.File, "object", None)
    bearer = {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
    api.spec.components.security_scheme("bearer", bearer)
    for plugin in platform.registry.plugins.values():
        written = plugin.rest.routes if isinstance(plugin.rest, RestBlueprint) else ()
        generated = RestBlueprint(plugin.name, part="resources", replaced=written)
        for bound in platform.registry.resources.values():
            if bound.plugin == plugin.name and bound.resource.rest:
                for declare in (add_routes, *further):
                    declare(generated, bound)
        own = (core_rest, member_access.rest, compatibility.rest, *also) if plugin.name == "core" else (plugin.rest,)
        tested = None if platform.config.conformance_routes == "off" else plugin.conformance
        for blueprint in (*own, generated, tested):
            if isinstance(blueprint, RestBlueprint) and blueprint._docs:
                api.register_blueprint(blueprint)
                owned_by(app, plugin.name, blueprint.name)

    made: dict[frozenset[str], dict[str, Any]] = {}

    @app.get("/api/v1/openapi.json")
    def openapi() -> Response:
        off = lifecycle.disabled(g.session)
        if off not in made:
            made[off] = complete(_filtered(api.spec.to_dict(), off))
        return jsonify(made[off])

    @app.get("/api/docs")
    def api_docs() -> Response:
        """Swagger UI over the document; its own policy lets it set styles, and no script but ours runs."""
        answer = Response(render_template("guildhall/api_docs.html"), mimetype="text/html")
        answer.headers["Content-Security-Policy"] = POLICY.format(ours=own_sources(platform.config))
        return answer


def _filtered(document: dict[str, Any], disabled: frozenset[str]) -> dict[str, Any]:
    """The document without the paths of disabled plugins."""
    shown = deepcopy(document)
    for path in list(shown["paths"]):
        tags = {tag for operation in shown["paths"][path].values() if "tags" in operation for tag in operation["tags"]}
        if tags & disabled:
            del shown["paths"][path]
    shown["paths"]["/api/health"] = compatibility.HEALTH
    shown["servers"] = [{"url": "/"}]
    shown["externalDocs"] = {"description": "GraphQL: the schema (SDL)", "url": "/api/v1/graphql/schema"}
    return shown
