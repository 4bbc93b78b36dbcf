"""The public keys of access tokens, where other services look for them."""

from __future__ import annotations

from flask import Blueprint, Response, g, jsonify

from core.members import signing

blueprint = Blueprint("jwks", "guildhall", url_prefix="/.well-known")


@blueprint.get("/jwks.json")
def jwks() -> Response:
    answer = jsonify(signing.jwks(g.session))
    answer.headers["Cache-Control"] = "public, max-age=300"
    return answer


jwks.access = "public"  # type: ignore[attr-defined]
