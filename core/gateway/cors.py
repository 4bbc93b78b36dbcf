"""Pages of other web sites: those on the allow-list may call the API, all others learn nothing."""

from __future__ import annotations

from flask import Flask, Response, g, request

from core.platform_settings import PlatformSettings

METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE"
HEADERS = "Authorization, Content-Type, Idempotency-Key, X-CSRFToken, X-Request-ID"
EXPOSED = (
    "Idempotent-Replayed, RateLimit, RateLimit-Limit, RateLimit-Policy, RateLimit-Remaining, RateLimit-Reset, "
    "Retry-After, X-Request-ID"
)
KEPT_SECONDS = 600


def install(app: Flask) -> None:
    @app.after_request
    def share(response: Response) -> Response:
        if "shared" not in g:
            return response
        response.vary.add("Origin")
        if g.shared:
            response.headers["Access-Control-Allow-Origin"] = g.shared
            response.headers["Access-Control-Allow-Credentials"] = "true"
            response.headers["Access-Control-Expose-Headers"] = EXPOSED
        return response


def look(settings: PlatformSettings) -> Response | None:
    """Note whether the asking page is allowed; answers a browser's question beforehand (preflight) at once."""
    if not settings.origins:
        return None
    origin = request.headers.get("Origin", "")
    g.shared = origin if origin in settings.origins else ""
    if request.method != "OPTIONS" or "Access-Control-Request-Method" not in request.headers:
        return None
    answer = Response(status=204)
    if g.shared:
        answer.headers["Access-Control-Allow-Methods"] = METHODS
        answer.headers["Access-Control-Allow-Headers"] = HEADERS
        answer.headers["Access-Control-Max-Age"] = str(KEPT_SECONDS)
    return answer
