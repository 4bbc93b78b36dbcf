"""Security headers, and the nonce that the few inline scripts carry."""

from __future__ import annotations

import secrets
from urllib.parse import urlsplit

from flask import Flask, Response, g, request

from config import Config


def nonce() -> str:
    """This request's nonce for ``script-src``."""
    if "nonce" not in g:
        g.nonce = secrets.token_urlsafe(16)
    value: str = g.nonce
    return value


def own_sources(config: Config) -> str:
    """What a policy allows of ours: this host, and that of the CDN where there is one."""
    parts = urlsplit(config.cdn_url)
    return f"'self' {parts.scheme}://{parts.netloc}" if parts.netloc else "'self'"


def install(app: Flask, config: Config) -> None:
    ours = own_sources(config)

    @app.after_request
    def protect(response: Response) -> Response:
        policy = (
            f"default-src 'self'; script-src {ours} 'nonce-{nonce()}'; style-src {ours}; img-src {ours} data:; "
            f"font-src {ours}; connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; "
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
        return response
