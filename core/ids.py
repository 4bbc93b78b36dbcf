"""Identifiers: UUID version 7 (RFC 9562), so that keys sort by the time they were made."""

from __future__ import annotations

import os
import time
from uuid import UUID


def new_id() -> UUID:
    """A new UUIDv7: 48 bits of milliseconds, 12 bits of the fraction, 62 random bits."""
    nanoseconds = time.time_ns()
    milliseconds, rest = divmod(nanoseconds, 1_000_000)
    fraction = rest * 4096 // 1_000_000
    random = int.from_bytes(os.urandom(8), "big") & ((1 << 62) - 1)
    return UUID(int=milliseconds << 80 | 0x7 << 76 | fraction << 64 | 0b10 << 62 | random)


def uuid_of(text: str) -> UUID | None:
    """The UUID that ``text`` spells; None where it is none."""
    try:
        return UUID(text)
    except ValueError:
        return None
