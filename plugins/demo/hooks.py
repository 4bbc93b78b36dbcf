"""What the demo adds to a start."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from guildhall import _, hookimpl

from .service import is_loaded, load


@hookimpl
def first_start(session: Session, platform: Any) -> str | None:
    """Load the demo where the boot settings ask for it."""
    if not platform.config.load_demo or is_loaded(session) or load(platform) is None:
        return None
    return _("The demo community is loaded. Set GUILDHALL_DEMO=false to start without one.")
