"""Amounts as people write them: whole numbers of the smallest unit, shown with the asset's decimals."""

from __future__ import annotations

import re

from . import errors


def decimal(amount: int, scale: int) -> str:
    """``1250`` at scale 2 as ``12.50``."""
    digits = str(abs(amount)).rjust(scale + 1, "0")
    whole, fraction = (digits[:-scale], "." + digits[-scale:]) if scale else (digits, "")
    return ("-" if amount < 0 else "") + f"{int(whole):,}" + fraction


def units(text: str, scale: int) -> int:
    """``12.5`` at scale 2 as ``1250``. Raises AmountUnreadable, also for more decimals than the asset has."""
    match = re.fullmatch(r"([0-9]{1,38})(?:\.([0-9]{1,18}))?", text.strip(), re.ASCII)
    fraction = (match[2] or "") if match else ""
    if match is None or len(fraction) > scale:
        raise errors.AmountUnreadable(scale=scale)
    return int(match[1] + fraction.ljust(scale, "0"))
