"""Tables of contributions: what each kind is worth, what happened, how far everybody got, and what it led to."""

from .boards import BoardProgress, Freeze, HiddenMember, RankBucket, RankChange, Season, Standing
from .contribution import BY_HAND, SOURCES, STATES, TIERS, Contribution, ContributionType, LimitSlot, TypeVersion
from .corrections import Correction, Override, Rescore
from .imports import Import, ImportProblem, ImportRow
from .intake import Claim, Review, WebhookSource
from .progress import DayChange, DayFigure, DayProgress, MemberProgress, MonthProgress, TypeProgress
from .rewards import AwardPlan, AwardRun, Level, LevelReachedRow, Milestone, MilestoneReachedRow, Reward

__all__ = [
    "BY_HAND",
    "SOURCES",
    "STATES",
    "TIERS",
    "AwardPlan",
    "AwardRun",
    "BoardProgress",
    "Claim",
    "Contribution",
    "ContributionType",
    "Correction",
    "DayChange",
    "DayFigure",
    "DayProgress",
    "Freeze",
    "HiddenMember",
    "Import",
    "ImportProblem",
    "ImportRow",
    "Level",
    "LevelReachedRow",
    "LimitSlot",
    "MemberProgress",
    "Milestone",
    "MilestoneReachedRow",
    "MonthProgress",
    "Override",
    "RankBucket",
    "RankChange",
    "Rescore",
    "Review",
    "Reward",
    "Season",
    "Standing",
    "TypeProgress",
    "TypeVersion",
    "WebhookSource",
]
