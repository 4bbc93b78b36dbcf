"""E-mail addresses: which are taken, and when two of them are the same one.

The database says what is the same (``lower(email)`` is its unique index), so whoever looks an address up has it
lowered there too: Python and PostgreSQL lower some letters differently, such as the Turkish İ.
"""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import ColumnElement, func

LONGEST = 254
# Local part and domain of RFC 5322 without what it quotes: comments, groups and lists would be read as another address.
_ADDRESS = re.compile(r"[^\s\"(),:;<>@\[\\\]]+@[^\s\"(),:;<>@\[\\\]]+")


def plausible(email: str) -> bool:
    """Whether a mail could be sent to ``email``, and to nobody else."""
    if len(email) > LONGEST or not email.isprintable() or "=?" in email:  # "=?" begins a word that headers decode
        return False
    return bool(_ADDRESS.fullmatch(email) and email.rpartition("@")[2].strip("."))


def is_same(column: Any, email: str) -> ColumnElement[bool]:
    """Whether the address in ``column`` is ``email`` as somebody typed it."""
    return func.lower(column) == func.lower(email.strip())


def folded(email: str) -> str:
    """``email`` as attempts on it are counted: however it is written, it counts as one."""
    return "".join(one.lower()[:1] for one in email.strip())  # letter by letter, as PostgreSQL lowers
