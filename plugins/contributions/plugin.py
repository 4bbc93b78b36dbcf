"""Contributions: record what members do, score it once, and keep everybody's progress."""

from __future__ import annotations

from guildhall import Plugin, Subscriber, _

from . import hookspecs
from .events import BatchRecorded, ContributionRecorded, MilestoneReached, RewardRequested
from .handlers import reward_milestone
from .seed import seed
from .settings import ContributionSettings

plugin = Plugin(
    "contributions",
    version="0.1.0",
    label=_("Contributions"),
    description=_("Record what members do for the community, score it once, and keep everybody's progress."),
    icon="sparkles",
    settings=ContributionSettings,
    events=[ContributionRecorded, BatchRecorded, MilestoneReached, RewardRequested],
    subscribers=[Subscriber(event=MilestoneReached, handler=reward_milestone)],
    hookspecs=hookspecs,
    seed=seed,
)
