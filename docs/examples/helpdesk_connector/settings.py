"""Settings an admin may change while Guildhall runs."""

from __future__ import annotations

from pydantic import Field

from guildhall import Settings, _


class HelpdeskSettings(Settings):
    """Where the help desk is."""

    address: str = Field(
        "",
        max_length=300,
        pattern=r"^(https?://[^\s]+)?$",
        description=_("Address that tickets are posted to, such as https://desk.example.org/api; empty opens none."),
    )
