"""Contributions: what members do for the community, what it is worth, and how far everybody got."""

from . import expressions, queries, service
from .events import (
    BatchCorrected,
    BatchRecorded,
    ContributionCorrected,
    ContributionRecorded,
    IdentityClaimed,
    LevelReached,
    MilestoneReached,
    RewardRequested,
    SeasonClosed,
)
from .hookspecs import Stage, contribution_stages
from .matching import ANY_TYPE, Condition, matches
from .models import Contribution, ContributionType, Level, MemberProgress, TypeProgress
from .queries import MemberFacts

__all__ = [
    "ANY_TYPE",
    "BatchCorrected",
    "BatchRecorded",
    "Condition",
    "Contribution",
    "ContributionCorrected",
    "ContributionRecorded",
    "ContributionType",
    "IdentityClaimed",
    "Level",
    "LevelReached",
    "MemberFacts",
    "MemberProgress",
    "MilestoneReached",
    "RewardRequested",
    "SeasonClosed",
    "Stage",
    "TypeProgress",
    "contribution_stages",
    "expressions",
    "matches",
    "queries",
    "service",
]
