"""Every error becomes an answer: the one envelope under API paths, a page elsewhere. Nothing leaks, nothing is lost."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlsplit

import structlog
from flask import (
    Flask,
    Response,
    current_app,
    flash,
    g,
    jsonify,
    redirect,
    render_template,
    request,
    url_for,
)
from flask_babel import gettext
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from core.actor import Actor
from core.errors import DomainError, Invalid, Unauthenticated, Unavailable
from core.gateway import kept_forms
from core.gateway.request import is_api
from core.gateway.sentences import told_details
from core.i18n import _
from core.observability import metrics
from core.refusals import domain_error

log = structlog.get_logger("gateway")

# Werkzeug's errors by status: our stable code and a sentence a person can act on.
HTTP = {
    400: ("BAD_REQUEST", _("The request could not be understood.")),
    401: ("UNAUTHENTICATED", _("Sign in to do this.")),
    403: ("FORBIDDEN", _("You are not allowed to do this.")),
    404: ("NOT_FOUND", _("There is no such thing here.")),
    405: ("METHOD_NOT_ALLOWED", _("This address does not take that method.")),
    406: ("NOT_ACCEPTABLE", _("This cannot be given in the format you accept.")),
    413: ("TOO_LARGE", _("The request is larger than is accepted here.")),
    414: ("URI_TOO_LONG", _("The address is longer than is accepted here.")),
    415: ("UNSUPPORTED_MEDIA_TYPE", _("Send JSON with the content type application/json.")),
    422: ("INVALID", Invalid.sentence),
    429: ("LIMIT", _("Too many requests. Try again later.")),
    500: ("INTERNAL", _("Something went wrong on our side. It has been noted under the request number.")),
    503: ("UNAVAILABLE", Unavailable.sentence),
}
# What can be said more precisely.
_CSRF = _("The form has expired or came from elsewhere. Reload the page and try again.")
_CSRF_API = _("With a cookie, send the page's token in the header X-CSRFToken; or use a bearer token instead.")
_METHODS = _("This address does not take that method. It takes {methods}.")
_MOST = _("The request is larger than the {most} bytes that are accepted here.")
# The headline of a page; the sentence stands below it.
TITLES = {
    400: _("That was not understood"),
    403: _("Not allowed"),
    404: _("Not found"),
    409: _("Not possible now"),
    413: _("Too large"),
    422: _("That cannot be accepted"),
    429: _("A moment, please"),
    500: _("Something went wrong"),
    503: _("Not available at the moment"),
}
AGAIN = (429, 503)  # the same address may work later


def install(app: Flask) -> None:
    app.register_error_handler(Exception, answer)


def answer(problem: Exception) -> Any:
    """The answer to any exception that left a view."""
    session = g.get("session")
    if session is not None:
        session.rollback()
    if isinstance(problem, HTTPException):
        return _http(problem)
    known = domain_error(problem)
    if known is None:
        log.exception("unhandled error", path=request.path)
        return _shown(500, *_told(500), None)
    if isinstance(known, Unavailable):
        log.warning("unavailable", path=request.path, error=repr(problem))
    if type(known) is Unauthenticated and not is_api():  # a bad token is told so: its sender fills in no form
        return _to_login()
    if known.page and not is_api():
        kept_forms.keep()
        return redirect(f"{known.page}?next={quote(_back())}", 303)
    by_form = request.method == "POST" and not is_api() and request.accept_mimetypes.best != "application/json"
    if known.stays and by_form:
        flash(known.fill(gettext(known.sentence)), "danger")
        return redirect(_back(), 303)
    shown = _shown(known.status, known.code, known.fill(gettext(known.sentence)), known.details)
    if wait := known.params.get("retry_after"):
        shown.headers["Retry-After"] = str(wait)
    return shown


def _back() -> str:
    """The page a refused act was asked for on: a form is never sent by itself."""
    if request.method == "GET":
        return request.full_path.rstrip("?")
    parts = urlsplit(request.referrer or "")
    return parts.path if parts.netloc == request.host and _opens(parts.path) else "/"


def _opens(path: str) -> bool:
    """Whether a path can be asked for with GET: a form that was refused stands at an address that takes POST alone."""
    try:
        current_app.url_map.bind("").match(path, method="GET")
    except HTTPException:
        return False
    return True


def _to_login() -> Any:
    """Ask to sign in; a part of a page that was fetched sends the whole page there."""
    if request.headers.get("HX-Request"):
        return Response(status=401, headers={"HX-Redirect": url_for("account.login")})
    return redirect(url_for("account.login", next=_back()))


def _http(problem: HTTPException) -> Any:
    status = problem.code or 500
    if status < 400 or problem.response is not None:
        return problem
    code, sentence = _told(status)
    details = getattr(problem, "data", {}).get("messages") if hasattr(problem, "data") else None
    if type(problem).__name__ == "CSRFError":
        code, sentence = "CSRF", gettext(_CSRF_API if is_api() else _CSRF)
    elif isinstance(problem, MethodNotAllowed) and problem.valid_methods:
        sentence = gettext(_METHODS).format(methods=", ".join(sorted(problem.valid_methods)))
    elif status == 413 and request.max_content_length and "form" not in request.mimetype:
        sentence = gettext(_MOST).format(most=request.max_content_length)
    if isinstance(details, dict) and set(details) <= {"json", "query", "form", "files", "headers", "path"}:
        merged: dict[str, Any] = {}
        for part in details.values():
            merged.update(part if isinstance(part, dict) else {"": part})
        details = merged
    shown = _shown(status, code, sentence, details)
    for name in ("Allow", "Retry-After"):
        if value := dict(problem.get_headers()).get(name):
            shown.headers[name] = value
    return shown


def _told(status: int) -> tuple[str, str]:
    code, sentence = HTTP.get(status, ("ERROR", DomainError.sentence))
    return code, gettext(sentence)


def envelope_error(status: int, code: str, message: str, details: Any) -> Response:
    """The failure envelope as a response."""
    body = {
        "success": False,
        "error": {"code": code, "message": message, "details": told_details(details)},
        "meta": {"request_id": g.get("request_id")},
    }
    response = jsonify(body)
    response.status_code = status
    return response


def _shown(status: int, code: str, message: str, details: Any) -> Response:
    metrics.ERRORS.labels(code).inc()
    if is_api() or request.accept_mimetypes.best == "application/json":
        return envelope_error(status, code, message, details)
    if status == 503:
        g.actor = Actor(kind="anonymous", name="anonymous")  # the page must ask the database nothing
        g.pop("shell", None)
    title = gettext(TITLES[status]) if status in TITLES else message
    again = status in AGAIN and request.method == "GET"
    page = render_template(
        "guildhall/error.html",
        code=status,
        title=title,
        sentence="" if title == message else message,
        request_id=g.get("request_id"),
        back_url=request.full_path.rstrip("?") if again else "/",
        back_label=gettext(_("Try again")) if again else "",
    )
    return Response(page, status)
