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
    rapid_per_minute: int = Field(
        120,
        ge=0,
        le=100_000,
        description=_("Contributions of a member within a minute above which they wait for a review; 0 for never."),
    )
    near_duplicates: bool = Field(True, description=_("Hold texts back that are almost the same as an earlier one."))
    near_duplicate_bits: int = Field(
        8,
        ge=0,
        le=16,
        description=_("How many of 64 bits two texts' fingerprints may differ in to be almost the same."),
    )
    idle_participations: int = Field(
        20,
        ge=0,
        le=100_000,
        description=_("Challenges a member may join without doing anything else before a review; 0 for any number."),
    )
