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
    before = f"default-src 'self'; script-src {ours} 'nonce-"
    after = (
        f"'; style-src {ours}; img-src {ours} data:; font-src {ours}; connect-src 'self'; object-src 'none'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )
    always = [
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "same-origin"),
        ("X-Frame-Options", "DENY"),
        ("Permissions-Policy", "camera=(), microphone=(), geolocation=()"),
        ("Cross-Origin-Opener-Policy", "same-origin"),
    ]
    if config.secure:
        always.append(("Strict-Transport-Security", "max-age=31536000; includeSubDomains"))

    @app.after_request
    def protect(response: Response) -> Response:
        headers = response.headers
        given = {name.lower() for name, _value in headers}  # once, for each setdefault looks through all of them
        wanted = [("Content-Security-Policy", f"{before}{nonce()}{after}"), *always]
        if not request.path.startswith("/static/") or response.status_code >= 400:
            wanted.append(("Cache-Control", "no-store"))
        headers.extend([(name, value) for name, value in wanted if name.lower() not in given])
        if allowance := g.get("allowance"):
            allowance.tell(headers)
        if "request_id" in g:
            headers["X-Request-ID"] = g.request_id
        return response
