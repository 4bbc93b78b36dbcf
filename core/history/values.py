"""Values of the trail, which are plain JSON, as the values of the columns they were taken from."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from core.audit.trail import MASK
from core.crypto.members import ERASED, owner


class Closed(Enum):
    """A value that cannot be told: it was never kept, was erased, or this reader may not see it."""

    MASKED = MASK
    ERASED = ERASED


def typed(column: Any, value: Any, *, sealed: bool = False) -> Any:
    """``value`` as ``column`` holds it; ``sealed`` says that the trail held it under a member's key.

    What the column's type cannot read, as after the type was changed, is given back as it is.
    """
    if value == MASK or (sealed and value == ERASED) or owner(value):
        return Closed.ERASED if value == ERASED else Closed.MASKED
    if value is None or isinstance(column.type, sa.JSON):
        return value
    try:
        return _reader(column.type)(value)
    except (ValueError, TypeError, ArithmeticError):
        return value


def _reader(kind: Any) -> Callable[[Any], Any]:
    if isinstance(kind, sa.TypeDecorator):
        return _reader(kind.impl_instance) if not isinstance(kind.impl_instance, sa.Numeric) else _number
    if isinstance(kind, sa.Uuid):
        return lambda value: UUID(str(value))
    if isinstance(kind, sa.DateTime):
        return datetime.fromisoformat
    if isinstance(kind, sa.Date):
        return date.fromisoformat
    if isinstance(kind, sa.Numeric):
        return lambda value: Decimal(str(value))
    if isinstance(kind, sa.LargeBinary):
        return bytes.fromhex
    return lambda value: value


def _number(value: Any) -> Any:
    return value if isinstance(value, int) else int(str(value))
