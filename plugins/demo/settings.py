"""Settings an admin may change while Guildhall runs."""

from __future__ import annotations

from datetime import date

from pydantic import Field

from guildhall import Settings, _


class DemoSettings(Settings):
    """What the demo community looks like."""

    end_date: date | None = Field(
        None, description=_("Day on which the two years of the demo end; empty means the day it is loaded.")
    )
