"""Assets: what accounts count. What they count by never changes, for every amount in the ledger means it."""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy.orm import Session

from guildhall import Actor, Invalid, _

from ..models import Asset

FIXED = ("code", "kind", "scale")


def create_asset(session: Session, actor: Actor, values: dict[str, Any]) -> Asset:
    """A new asset; its accounts are opened when they are first needed. Raises Invalid by field."""
    _check(values)
    asset = Asset(**values)
    session.add(asset)
    session.flush()
    return asset


def update_asset(session: Session, actor: Actor, record: Asset, values: dict[str, Any]) -> Asset:
    """Change an asset's name and limits. Raises Invalid by field, also for what cannot change."""
    for name in FIXED:
        if values.get(name, getattr(record, name)) != getattr(record, name):
            raise Invalid({name: [_("It cannot change: every amount in the ledger is counted by it.")]})
    _check(values)
    for name, value in values.items():
        setattr(record, name, value)
    session.flush()
    return record


def _check(values: dict[str, Any]) -> None:
    problems: dict[str, list[str]] = {}
    if "code" in values and not re.fullmatch("[A-Z][A-Z0-9]{0,11}", values["code"] or ""):
        problems["code"] = [_("Give 1 to 12 capital letters and digits, a letter first.")]
    if not 0 <= (values.get("scale") or 0) <= 18:
        problems["scale"] = [_("Give 0 to 18 decimals.")]
    if not 1 <= (1 if values.get("stripes") is None else values["stripes"]) <= 64:
        problems["stripes"] = [_("Give 1 to 64.")]
    if (values.get("daily_limit") or 0) < 0:
        problems["daily_limit"] = [_("A limit is zero or more; leave it empty for none.")]
    if values.get("large_from") is not None and values["large_from"] <= 0:
        problems["large_from"] = [_("Give more than zero, or leave it empty for none.")]
    if problems:
        raise Invalid(problems)
