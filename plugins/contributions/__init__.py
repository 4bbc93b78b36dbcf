"""Contributions: what members do for the community, what it is worth, and how far everybody got."""

from . import queries, service
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
from .models import Contribution, ContributionType, Level, MemberProgress, TypeProgress
from .queries import MemberFacts

__all__ = [
    "BatchCorrected",
    "BatchRecorded",
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
    "queries",
    "service",
]
