"""Settings of contributions."""

from __future__ import annotations

from pydantic import Field

from guildhall import Settings, _


class ContributionSettings(Settings):
    future_skew_minutes: int = Field(
        5, ge=0, le=1440, description=_("How far ahead of our clock a contribution may be dated, in minutes.")
    )
    oldest_days: int = Field(
        30,
        ge=0,
        le=36500,
        description=_("How old a contribution may be when it is reported, in days; imports may bring any age."),
    )
    public_leaderboard: bool = Field(False, description=_("Let everybody read the leaderboard without signing in."))
