"""Public files whose address holds the digest of their content: browsers and the CDN keep them for ever."""

from __future__ import annotations

from flask import Response, request


def lasting(response: Response, digest: str) -> Response:
    """Let everybody keep this answer, and other sites show it. Its address must never show another content.

    ``digest`` is the ETag; who has it already is answered 304.
    """
    response.set_etag(digest)
    response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    response.headers["Access-Control-Allow-Origin"] = "*"
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.make_conditional(request)
    return response
