"""The API description: one OpenAPI 3.1 document of every enabled plugin."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import flask_smorest
from flask import Flask, Response, g, jsonify

from core import lifecycle
from core.gateway.request import owned_by
from core.platform import Platform
from core.rest.auth import rest as core_rest
from core.rest.blueprint import RestBlueprint
from core.rest.resource import add_routes


class Api(flask_smorest.Api):  # type: ignore[misc]
    """flask-smorest without its error handlers (ours serve HTML too) and without its documentation pages."""

    def _register_error_handlers(self) -> None: ...


def install(app: Flask, platform: Platform) -> None:
    """Register every plugin's REST blueprint, generated routes included, and the document of them all."""
    app.config.update(
        API_TITLE="Guildhall", API_VERSION=platform.registry.plugins["core"].version, OPENAPI_VERSION="3.1.0"
    )
    api = Api(app)
    bearer = {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
    api.spec.components.security_scheme("bearer", bearer)
    for plugin in platform.registry.plugins.values():
        generated = RestBlueprint(plugin.name, part="resources")
        for bound in platform.registry.resources.values():
            if bound.plugin == plugin.name and bound.resource.rest:
                add_routes(generated, bound)
        for blueprint in (core_rest if plugin.name == "core" else plugin.rest, generated):
            if isinstance(blueprint, RestBlueprint) and blueprint._docs:
                api.register_blueprint(blueprint)
                owned_by(app, plugin.name, blueprint.name)

    @app.get("/api/v1/openapi.json")
    def openapi() -> Response:
        return jsonify(_filtered(api.spec.to_dict(), lifecycle.disabled(g.session)))


def _filtered(document: dict[str, Any], disabled: frozenset[str]) -> dict[str, Any]:
    """The document without the paths of disabled plugins."""
    shown = deepcopy(document)
    for path in list(shown["paths"]):
        if path.split("/")[3].replace("-", "_") in disabled:
            del shown["paths"][path]
    shown["servers"] = [{"url": "/"}]
    return shown
