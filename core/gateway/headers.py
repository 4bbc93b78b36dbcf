"""Security headers, and the nonce that the few inline scripts carry."""

from __future__ import annotations

import secrets

from flask import Flask, Response, g, request

from config import Config


def nonce() -> str:
    """This request's nonce for ``script-src``."""
    if "nonce" not in g:
        g.nonce = secrets.token_urlsafe(16)
    value: str = g.nonce
    return value


def install(app: Flask, config: Config) -> None:
    @app.after_request
    def protect(response: Response) -> Response:
        policy = (
            f"default-src 'self'; script-src 'self' 'nonce-{nonce()}'; style-src 'self'; img-src 'self' data:; "
            "font-src 'self'; connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; "
            "frame-ancestors 'none'"
        )
        headers = response.headers
        headers.setdefault("Content-Security-Policy", policy)
        headers.setdefault("X-Content-Type-Options", "nosniff")
        headers.setdefault("Referrer-Policy", "same-origin")
        headers.setdefault("X-Frame-Options", "DENY")
        headers.setdefault("Permissions-Policy", "camera=(), microphone=(), geolocation=()")
        headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
        if config.secure:
            headers.setdefault("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
        if allowance := g.get("allowance"):
            allowance.tell(headers)
        if "request_id" in g:
            headers["X-Request-ID"] = g.request_id
        if not request.path.startswith("/static/") or response.status_code >= 400:
            headers.setdefault("Cache-Control", "no-store")
        elif "v" in request.args:
            response.cache_control.immutable = True
        return response
