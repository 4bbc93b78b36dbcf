"""Settings of the platform itself that an admin may change while Guildhall runs. Boot settings are in config.py."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, field_validator

from core.i18n import _
from core.settings import Settings

ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:\d{1,5})?|https?://\[[0-9a-f:]+\](:\d{1,5})?")
MOST = 10_000_000


class PlatformSettings(Settings):
    rate_limits: bool = Field(True, description=_("Limit how many requests may be made of the API."))
    rate_window_minutes: int = Field(15, ge=1, le=1440, description=_("How long requests are counted together."))
    rate_anonymous: int = Field(
        100, ge=1, le=MOST, description=_("Requests by an address that has not signed in, in each window.")
    )
    rate_profile: Literal["standard", "seeds"] = Field(
        "standard", description=_("Which figure counts for signed-in members: the standard one, or the strict one.")
    )
    rate_member: int = Field(
        1000, ge=1, le=MOST, description=_("Requests by a signed-in member in each window, with the profile standard.")
    )
    rate_member_seeds: int = Field(
        50, ge=1, le=MOST, description=_("Requests by a signed-in member in each window, with the profile seeds.")
    )
    rate_payment: int = Field(
        10, ge=1, le=MOST, description=_("Requests by a member on payment routes in each window.")
    )
    registration: bool = Field(False, description=_("Let people register by themselves; they confirm their e-mail."))
    require_admin_two_factor: Literal["auto", "yes", "no"] = Field(
        "auto",
        description=_(
            "Admins sign in with a second factor, and can do nothing before they have set it up. "
            "With auto it is so everywhere but where the demo runs."
        ),
    )
    cors_origins: str = Field(
        "",
        description=_(
            "Other web sites whose pages may call the API in a member's name, such as https://app.example.org; "
            "several are separated by spaces. Empty allows none."
        ),
    )
    delivery_days: int = Field(
        14, ge=0, le=36500, description=_("Days that finished deliveries are kept. 0 keeps them for ever.")
    )
    file_megabytes: int = Field(8, ge=1, le=10, description=_("The largest file that is taken, in megabytes."))
    image_megapixels: int = Field(
        40, ge=1, le=200, description=_("The most pixels of an image, all its frames together, in millions.")
    )
    files_per_day: int = Field(100, ge=1, le=MOST, description=_("How many files a member may send within a day."))
    file_link_minutes: int = Field(15, ge=1, le=1440, description=_("How long a link to a file is good."))
    loose_file_hours: int = Field(
        24, ge=1, le=8760, description=_("How long a file is kept that was sent and then used for nothing.")
    )
    event_days: int = Field(
        0,
        ge=0,
        le=36500,
        description=_("Days that events are kept once every delivery is made. 0 keeps them for ever."),
    )

    @field_validator("cors_origins")
    @classmethod
    def _exact(cls, given: str) -> str:
        origins = [one.lower().rstrip("/") for one in given.replace(",", " ").split()]
        if wrong := [one for one in origins if not ORIGIN.fullmatch(one)]:
            raise ValueError(f"give exact origins like https://app.example.org, not {' '.join(wrong)}")
        return " ".join(dict.fromkeys(origins))

    @property
    def origins(self) -> frozenset[str]:
        """The allowed origins, each as a browser sends it."""
        return frozenset(self.cors_origins.split())
