"""A file of any size that takes no room: a head, and then the same letter."""

from __future__ import annotations

MP4 = b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isommp42"


class Endless:
    """Reads like a binary file of ``size`` bytes that begins with ``head``; ``given`` counts what was read."""

    def __init__(self, head: bytes, size: int) -> None:
        self.head, self.size, self.given = head, size, 0

    def read(self, most: int = -1) -> bytes:
        left = self.size - self.given
        count = left if most is None or most < 0 else min(most, left)
        piece = self.head[self.given : self.given + count]
        piece += b"x" * (count - len(piece))
        self.given += count
        return piece
