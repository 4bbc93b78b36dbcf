"""What an admin may set."""

from __future__ import annotations

from pydantic import Field

from guildhall import Settings, _


class BadgeSettings(Settings):
    preview_seconds: int = Field(
        default=5, ge=1, le=60, description=_("How long a preview of criteria may count before it is stopped.")
    )
    single_events: int = Field(
        default=1_000,
        ge=0,
        le=10_000,
        description=_(
            "A step of a recalculation that gives more badges than this publishes one event for all of them "
            "instead of one for each."
        ),
    )
