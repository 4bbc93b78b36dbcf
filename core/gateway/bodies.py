"""How large a request may be: a body by its kind, or by what the route declares; and how many fields a form has."""

from __future__ import annotations

from typing import Any

from flask import g, request
from werkzeug.exceptions import RequestEntityTooLarge

MEGABYTE = 1024 * 1024
LARGEST = 10 * MEGABYTE  # what carries files
FORM_FIELDS = 1000


def check(view: Any) -> None:
    """Set how much of the body will be read; refuse at once what says that it is larger. Raises 413.

    A view's ``body_limit`` may be a function of the session, where it is a setting. Parts that are files go to disk as
    they come, whatever their size.
    """
    upload = request.mimetype == "multipart/form-data"
    declared = getattr(view, "body_limit", None)
    most: int = (declared(g.session) if callable(declared) else declared) or (LARGEST if upload else MEGABYTE)
    request.max_content_length = most
    request.max_form_parts = FORM_FIELDS
    if (request.content_length or 0) > most:
        raise RequestEntityTooLarge()
    if request.mimetype == "application/x-www-form-urlencoded":
        request.max_form_memory_size = most
        if request.get_data(cache=True, parse_form_data=False).count(b"&") >= FORM_FIELDS:
            raise RequestEntityTooLarge()
