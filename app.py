"""The application factory, the WSGI entry and the ``guildhall`` command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from core.platform import Platform

COMPRESSED = ["text/html", "text/css", "text/javascript", "application/json", "image/svg+xml"]


def create_app(platform: Platform) -> Flask:
    """The web application of a platform. Opens no connection; makes no global."""
    from flask import Flask
    from flask_compress import Compress
    from werkzeug.middleware.proxy_fix import ProxyFix

    from core.admin import account, health, locale, shell, site
    from core.fab import wall
    from core.gateway import bodies, cors, errors, headers, request
    from core.graphql import routes as graphql
    from core.history import routes as history
    from core.imports import routes as imports
    from core.rest import jwks, openapi

    config = platform.config
    app = Flask("guildhall", static_folder=str(shell.STATIC), static_url_path="/static")
    app.config.update(
        SECRET_KEY=config.secret_key,
        SESSION_COOKIE_NAME="__Host-guildhall" if config.secure else "guildhall",
        SESSION_COOKIE_SECURE=config.secure,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        WTF_CSRF_SSL_STRICT=False,
        WTF_CSRF_TIME_LIMIT=None,
        MAX_CONTENT_LENGTH=bodies.LARGEST,
        SEND_FILE_MAX_AGE_DEFAULT=31536000,
        COMPRESS_MIMETYPES=COMPRESSED,
        COMPRESS_ALGORITHM=["br", "gzip"],
        BABEL_DEFAULT_LOCALE="en",
        BABEL_DEFAULT_TIMEZONE="UTC",
    )
    if proxies := config.trusted_proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=proxies, x_proto=proxies, x_host=proxies)  # type: ignore[method-assign]
    Compress(app)
    health.install(app)
    request.install(app, platform)
    errors.install(app)
    headers.install(app, config)
    cors.install(app)
    shell.install(app, platform)
    app.config["BABEL_TRANSLATION_DIRECTORIES"] = ";".join(str(folder) for folder in locale.folders(platform))
    with app.app_context():
        wall.install(app, platform.registry)
    locale.install(app, platform)
    openapi.install(app, platform, also=[graphql.install(app, platform), imports.rest], further=[history.add_routes])
    app.register_blueprint(account.blueprint)
    app.register_blueprint(jwks.blueprint)
    site.install(app, platform)
    request.commit_with_views(app)
    return app


def cli() -> None:
    """Run the ``guildhall`` command. Ctrl-C while it is still being loaded ends it as quietly as later."""
    try:
        from core.heap import loading

        with loading():
            from core.commands import main
    except KeyboardInterrupt:
        raise SystemExit(130) from None

    main(prog_name="guildhall")


if __name__ == "__main__":
    cli()
