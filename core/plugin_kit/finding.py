"""What a check of a plugin finds."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Finding:
    """One thing: a stable ``code``, where it is, a sentence that says what to do; ``wrong`` is what must not stay."""

    plugin: str
    code: str
    sentence: str
    file: str = ""
    line: int = 0
    wrong: bool = True

    @property
    def place(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def __str__(self) -> str:
        where = f"{self.place}: " if self.file else ""
        return f"{'WRONG' if self.wrong else 'note '} {self.code} {where}{self.sentence}"
