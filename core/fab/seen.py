"""What a form showed when it was opened, so that what somebody else saved meanwhile is not lost unseen."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from wtforms import BooleanField

from core.clock import now

FIELD = "_seen"


def text_of(field: Any) -> Any:
    """What a field shows. A form says less than the record (no seconds): what shows the same has not changed."""
    shown = field._value() if hasattr(field, "_value") and not isinstance(field, BooleanField) else field.data
    return shown.replace("\r\n", "\n") if isinstance(shown, str) else shown


def token(form: Any, keys: Iterable[str]) -> str:
    """A note of what the fields ``keys`` show now, and when, for the form to carry."""
    marks = {key: mark(form[key]) for key in keys}
    return base64.urlsafe_b64encode(json.dumps([now().isoformat(), marks]).encode()).decode()


def read(given: str) -> tuple[datetime, dict[str, str]] | None:
    """When the form was opened, and what its fields showed; None for what is no such note."""
    try:
        at, marks = json.loads(base64.urlsafe_b64decode(given.encode()))
        return datetime.fromisoformat(at), {str(key): str(one) for key, one in marks.items()}
    except (ValueError, TypeError, AttributeError, RecursionError):
        return None


def mark(field: Any) -> str:
    """A short digest of what a field shows."""
    shown = json.dumps(text_of(field), sort_keys=True, default=str)
    return hashlib.sha256(shown.encode()).hexdigest()[:16]
