"""Values of columns kept as plain JSON, and back as what the column holds."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID


def typed(column: Any, value: Any) -> Any:
    """What ``core.audit.trail.plain`` made of a value of this column, as that value again. Raises ValueError."""
    if value is None or not isinstance(value, str):
        return value
    kind = column.type.python_type
    if kind is datetime:
        return datetime.fromisoformat(value)
    if kind is date:
        return date.fromisoformat(value)
    if kind in (UUID, Decimal):
        return kind(value)
    return value
