"""A trace as a picture: accounts in columns from where the units came to where they went, curves for what moved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from .trace import Trace

COLUMN, ROW = 236, 74  # pixels
WIDTH, HEIGHT = 150, 50
MARGIN = 12
MOST_COLUMNS = 4  # on each side of the traced transfer
MOST_ROWS = 6  # of a column; the others share a box

Key = tuple[int, UUID | None]


@dataclass
class Box:
    """An account in a column. ``account`` is None for the box that several share, ``count`` how many they are;
    ``stays`` is what of the units is still there, None where it is not known or nothing."""

    column: int
    name: str
    account: UUID | None
    count: int = 1
    stays: int | None = None
    x: int = 0
    y: int = 0


@dataclass(frozen=True, kw_only=True)
class Curve:
    """What moved between two boxes, in the asset's smallest unit; ``traced`` is the transfer that is looked at."""

    path: str
    amount: int
    x: int
    y: int
    traced: bool


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """The picture for an SVG: its size, boxes and curves; ``cut`` where more lies to a side than is drawn."""

    width: int
    height: int
    boxes: Sequence[Box]
    curves: Sequence[Curve]
    cut: bool


@dataclass
class _Sheet:
    names: dict[Key, str] = field(default_factory=dict)
    moved: dict[tuple[Key, Key], int] = field(default_factory=dict)
    cut: bool = False

    def move(self, start: tuple[Key, str], end: tuple[Key, str], amount: int) -> None:
        if max(start[0][0], end[0][0]) > MOST_COLUMNS or min(start[0][0], end[0][0]) < -1 - MOST_COLUMNS:
            self.cut = True
            return
        self.names |= {start[0]: start[1], end[0]: end[1]}
        between = start[0], end[0]
        self.moved[between] = self.moved.get(between, 0) + amount


def drawing(came: Trace, went: Trace, legs: Sequence[Mapping[str, Any]]) -> Drawing | None:
    """Draw both ways of a transfer of two ``legs`` (``queries.legs``); None for one of more.

    The account that paid stands in the column -1, the one that was paid in the column 0.
    """
    if len(legs) != 2:
        return None
    paid, got = legs
    sheet = _Sheet()
    traced: tuple[Key, Key] = ((-1, paid["account_id"]), (0, got["account_id"]))
    sheet.move((traced[0], paid["name"]), (traced[1], got["name"]), went.amount)
    for hop in went.hops:
        source, destination = (hop.depth - 1, hop.source), (hop.depth, hop.destination)
        sheet.move((source, hop.source_name), (destination, hop.destination_name), hop.amount)
    for hop in came.hops:
        source, destination = (-1 - hop.depth, hop.source), (-hop.depth, hop.destination)
        sheet.move((source, hop.source_name), (destination, hop.destination_name), hop.amount)
    boxes, place = _placed(sheet, keep=set(traced))
    for one in went.ends:
        if one.why == "there":
            last = max((key for key in sheet.names if key[1] == one.account and key[0] >= 0), default=None)
            if last is not None and place[last].account is not None:
                place[last].stays = (place[last].stays or 0) + one.amount
    curves: dict[tuple[int, int, int, int], list[Any]] = {}
    for (start, end), amount in sheet.moved.items():
        left, right = place[start], place[end]
        ends = (left.x + WIDTH, left.y + HEIGHT // 2, right.x, right.y + HEIGHT // 2)
        known = curves.setdefault(ends, [0, False])
        known[0] += amount
        known[1] = known[1] or (start, end) == traced
    return Drawing(
        width=max(box.x for box in boxes) + WIDTH + MARGIN,
        height=max(box.y for box in boxes) + HEIGHT + MARGIN,
        boxes=boxes,
        curves=[_curve(ends, amount, is_traced) for ends, (amount, is_traced) in curves.items()],
        cut=sheet.cut,
    )


def _curve(ends: tuple[int, int, int, int], amount: int, traced: bool) -> Curve:
    x1, y1, x2, y2 = ends
    middle = (x1 + x2) // 2
    path = f"M{x1} {y1}C{middle} {y1} {middle} {y2} {x2} {y2}"
    return Curve(path=path, amount=amount, x=middle, y=(y1 + y2) // 2 - 5, traced=traced)


def _placed(sheet: _Sheet, keep: set[Key]) -> tuple[list[Box], dict[Key, Box]]:
    """A box for each account, the ones that moved most on top; what does not fit into a column shares a box."""
    weight: dict[Key, int] = {}
    for (start, end), amount in sheet.moved.items():
        weight[start], weight[end] = weight.get(start, 0) + amount, weight.get(end, 0) + amount
    first = min(column for column, _account in sheet.names)
    columns: dict[int, list[Key]] = {}
    for key in sorted(sheet.names, key=lambda key: (key not in keep, -weight[key], str(key[1]))):
        columns.setdefault(key[0], []).append(key)
    boxes: list[Box] = []
    place: dict[Key, Box] = {}
    tallest = min(MOST_ROWS, max(map(len, columns.values())))
    for column, keys in columns.items():
        alone = keys if len(keys) <= MOST_ROWS else keys[: MOST_ROWS - 1]
        made = [Box(column, sheet.names[key], key[1]) for key in alone]
        place |= dict(zip(alone, made, strict=True))
        if rest := keys[len(alone) :]:
            made.append(Box(column, "", None, count=len(rest)))
            place |= dict.fromkeys(rest, made[-1])
        shift = (tallest - len(made)) * ROW // 2
        for row, box in enumerate(made):
            box.x, box.y = MARGIN + (column - first) * COLUMN, MARGIN + shift + row * ROW
        boxes += made
    return boxes, place
