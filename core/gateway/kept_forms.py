"""A form that was refused until its sender proves who they are is kept meanwhile, and sent again when they say so."""

from __future__ import annotations

import json
from dataclasses import dataclass

from flask import request
from flask import session as cookie

from core.actor import STEP_UP_LIFETIME
from core.clock import now
from core.ids import uuid_of
from core.logs import SECRET

_KEPT = "kept_form"
MOST = 1800  # bytes as JSON, 2,400 in the cookie, which browsers drop beyond 4,096 with the sign-in in it


@dataclass(frozen=True)
class KeptForm:
    """What was filled in, and the path it goes to."""

    path: str
    fields: tuple[tuple[str, str], ...]

    @property
    def told(self) -> list[str]:
        """What somebody typed or chose, as far as a person can read it."""
        given = [text for name, text in self.fields if name != "next" and not name.startswith("_")]
        return [text for text in given if text.strip() and uuid_of(text) is None]


def keep() -> None:
    """Keep the form of this request in the signed cookie, for ten minutes.

    One with files, a secret, a code or much is not kept, nor one in which nothing was typed or chosen.
    """
    cookie.pop(_KEPT, None)
    fields = [pair for pair in request.form.items(multi=True) if pair[0] != "csrf_token"]
    path = request.full_path.rstrip("?")
    if request.files or any(SECRET.search(name) or name.endswith("code") for name, _text in fields):
        return
    form = [now().timestamp(), path, fields]
    if KeptForm(path, tuple(fields)).told and len(json.dumps(form)) <= MOST:
        cookie[_KEPT] = form


def kept() -> KeptForm | None:
    """The form that waits, if one does."""
    at, path, fields = cookie.get(_KEPT, (0, "", ()))
    if now().timestamp() - at > STEP_UP_LIFETIME.total_seconds():
        return None
    return KeptForm(path, tuple((name, text) for name, text in fields))
