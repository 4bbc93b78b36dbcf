"""Contributions: what members do for the community, what it is worth, and how far everybody got."""

from . import queries, service
from .events import BatchRecorded, ContributionRecorded, MilestoneReached, RewardRequested
from .hookspecs import Stage, contribution_stages
from .models import Contribution, ContributionType, MemberProgress, TypeProgress
from .queries import MemberFacts

__all__ = [
    "BatchRecorded",
    "Contribution",
    "ContributionRecorded",
    "ContributionType",
    "MemberFacts",
    "MemberProgress",
    "MilestoneReached",
    "RewardRequested",
    "Stage",
    "TypeProgress",
    "contribution_stages",
    "queries",
    "service",
]
