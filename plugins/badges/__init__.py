"""Badges: what members can earn, who has earned it, and why."""

from . import queries, service
from .events import BadgeAwarded, BadgeRevoked, BatchAwarded
from .hookspecs import badge_criteria
from .leaf import AtLeast, Explanation, Leaf, Source
from .models import Award, Badge

__all__ = [
    "AtLeast",
    "Award",
    "Badge",
    "BadgeAwarded",
    "BadgeRevoked",
    "BatchAwarded",
    "Explanation",
    "Leaf",
    "Source",
    "badge_criteria",
    "queries",
    "service",
]
