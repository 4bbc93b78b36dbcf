"""A badge's picture as SVG, made from what it is: colours by category, rings by level, its initials."""

from __future__ import annotations

from hashlib import sha256
from html import escape
from math import cos, pi, sin

from .models import Badge

METALS = ("#8a5a2b", "#7d8794", "#b8860b", "#3f8f8f", "#4a6fd0")  # of levels 1 to 5
HUES = {"milestone": 205, "challenge": 12, "profile": 150, "special": 275}


def svg(badge: Badge, name: str) -> str:
    """The picture, 128 pixels square; the same badge always has the same one. ``name`` is its title."""
    hue = HUES.get(badge.category)
    if hue is None:
        hue = int.from_bytes(sha256(badge.category.encode()).digest()[:2]) % 360
    level = badge.level or 0
    metal = METALS[level - 1] if level else "#6b7280"
    initials = "".join(word[0] for word in name.split()[:2]).upper() or "?"
    points = " ".join(_corner(number, 6 + level) for number in range(2 * (6 + level)))
    rings = "".join(
        f'<circle cx="64" cy="64" r="{40 - 2 * ring}" fill="none" stroke="{metal}" stroke-width="1"/>'
        for ring in range(level)
    )
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 128 128" role="img" width="128" height="128">'
        f"<title>{escape(name)}</title>"
        f'<polygon points="{points}" fill="{metal}"/>'
        f'<circle cx="64" cy="64" r="44" fill="hsl({hue} 45% 30%)"/>{rings}'
        '<text x="64" y="64" fill="#ffffff" font-family="sans-serif" font-size="34" font-weight="700"'
        f' text-anchor="middle" dominant-baseline="central">{escape(initials)}</text></svg>'
    )


def _corner(number: int, spikes: int) -> str:
    radius = 62 if number % 2 == 0 else 52
    angle = pi * number / spikes - pi / 2
    return f"{64 + radius * cos(angle):.1f},{64 + radius * sin(angle):.1f}"
