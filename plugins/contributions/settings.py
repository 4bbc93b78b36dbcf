"""Settings of contributions."""

from __future__ import annotations

from pydantic import Field

from guildhall import Settings, _


class ContributionSettings(Settings):
    future_skew_minutes: int = Field(
        5,
        ge=0,
        le=1440,
        description=_(
            "How far ahead of our clock a contribution may be dated, in minutes; it counts as happening now. One from "
            "further ahead is refused."
        ),
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
    shared_device_members: int = Field(
        3,
        ge=0,
        le=1000,
        description=_(
            "Members who may sign in from one browser before what they contribute waits for a review; 0 for any number."
        ),
    )
    shared_wallet_members: int = Field(
        1,
        ge=0,
        le=1000,
        description=_(
            "Members who may have linked the same wallet, one after the other, before what they contribute waits for "
            "a review; 0 for any number."
        ),
    )
    shared_address_members: int = Field(
        0,
        ge=0,
        le=1000,
        description=_(
            "Members who may sign in from one network address before what they contribute waits for a review; 0 for "
            "any number. Whole schools and companies have one address, so it is best left at 0."
        ),
    )
    shared_text_bits: int = Field(
        12,
        ge=0,
        le=20,
        description=_(
            "How many of 64 bits two texts' fingerprints may differ in to be almost the same, when their authors share "
            "an address, a browser or a wallet; 0 to make no difference."
        ),
    )
    shared_types: str = Field(
        "",
        max_length=2000,
        description=_(
            "Types of contributions that wait when members share a browser, a wallet or an address, separated by "
            "spaces; empty for all."
        ),
    )
    idle_participations: int = Field(
        20,
        ge=0,
        le=100_000,
        description=_("Challenges a member may join without doing anything else before a review; 0 for any number."),
    )
