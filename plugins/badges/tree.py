"""Achievement trees: which badges need which, laid out in columns, and drawn."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from .catalogue import current, needed
from .models import Badge

COLUMN, ROW = 220, 64  # pixels of the drawing
WIDTH, HEIGHT = 168, 44


@dataclass(frozen=True, kw_only=True)
class Place:
    """A badge in the tree: ``column`` is how many steps of badges come before it at most."""

    badge: Badge
    needs: tuple[str, ...]
    column: int
    row: int

    @property
    def x(self) -> int:
        return self.column * COLUMN + 8

    @property
    def y(self) -> int:
        return self.row * ROW + 8


def tree(session: Session, shown: Callable[[Badge], bool], veiled: Collection[str] = ()) -> list[Place]:
    """The badges that need others, and those, column by column; what is not ``shown`` leaves no trace."""
    catalogue = current(session)
    badges = {badge.slug: badge for badge in session.scalars(select(Badge)) if shown(badge)}
    needs = {
        one.slug: tuple(sorted(need for need in needed(one.node) if need in badges))
        for one in catalogue.badges
        if one.slug in badges and not needed(one.node) & set(veiled)
    }
    joined = {slug for slug, own in needs.items() if own} | {need for own in needs.values() for need in own}
    column: dict[str, int] = {}
    rows: dict[int, int] = {}
    places = []
    for one in catalogue.badges:  # in dependency order
        if one.slug not in joined:
            continue
        own = needs.get(one.slug, ())
        deep = column[one.slug] = max((column[need] + 1 for need in own if need in column), default=0)
        places.append(Place(badge=badges[one.slug], needs=own, column=deep, row=rows.get(deep, 0)))
        rows[deep] = rows.get(deep, 0) + 1
    return places


@dataclass(frozen=True)
class Drawing:
    """The tree for an SVG: its size, the boxes, and a curve for each need."""

    width: int
    height: int
    places: list[Place]
    curves: list[str]


def drawing(places: list[Place]) -> Drawing:
    """Boxes from left to right; a curve leaves a box on its right and ends on the left of the one that needs it."""
    known = {place.badge.slug: place for place in places}
    curves = []
    for place in places:
        for need in place.needs:
            start = known[need]
            x1, y1 = start.x + WIDTH, start.y + HEIGHT // 2
            x2, y2 = place.x, place.y + HEIGHT // 2
            middle = (x1 + x2) // 2
            curves.append(f"M{x1} {y1}C{middle} {y1} {middle} {y2} {x2} {y2}")
    width = max((place.x + WIDTH for place in places), default=0) + 8
    height = max((place.y + HEIGHT for place in places), default=0) + 8
    return Drawing(width, height, places, curves)
