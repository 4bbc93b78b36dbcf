"""What a person sees of the supervisor: a live table on a terminal, plain lines anywhere else."""

from __future__ import annotations

import time
from types import TracebackType

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

COLOURS = {"running": "green", "starting": "yellow", "stopping": "yellow", "stopped": "dim", "waiting": "dim"}


class Status:
    """States by name. ``note()`` prints a line that stays."""

    def __init__(self, title: str, console: Console | None = None) -> None:
        self.title = title
        self.console = console or Console()
        self._rows: dict[str, tuple[str, str, float]] = {}
        self._live = Live(self, console=self.console, refresh_per_second=2) if self.is_live else None

    @property
    def is_live(self) -> bool:
        return self.console.is_terminal and not self.console.is_dumb_terminal

    def __enter__(self) -> Status:
        if self._live:
            self._live.start()
        else:
            self.note(self.title)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def set(self, name: str, state: str, detail: str = "") -> None:
        """Show that ``name`` is in ``state`` (a word), with a few words of detail."""
        self._rows[name] = (state, detail, time.monotonic())
        if self._live:
            self._live.refresh()
        else:
            self.note(f"{name}: {state}{f' ({detail})' if detail else ''}")

    def note(self, line: str) -> None:
        self.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def __rich__(self) -> Group:
        table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
        for name, (state, detail, since) in self._rows.items():
            elapsed = f"{time.monotonic() - since:.0f} s"
            table.add_row(name, Text(state, style=COLOURS.get(state, "red")), elapsed, Text(detail, style="dim"))
        return Group(Text(self.title, style="bold"), table)
