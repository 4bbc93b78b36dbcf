"""Engines that outlived their keeper: found by their working folder, and ended."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from core.runtime.problem import RuntimeProblem

POLL = 0.05  # seconds


def working_in(folder: Path, program: str) -> list[int]:
    """Process ids of ``program`` whose working folder is ``folder``: both engines change into their data."""
    try:
        wanted = folder.stat()
    except OSError:
        return []
    if not Path("/proc/self/cwd").exists():
        return _by_command_line(folder, program)
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            if (entry / "comm").read_text().strip() == program and os.path.samestat((entry / "cwd").stat(), wanted):
                found.append(int(entry.name))
        except OSError:
            continue  # ended meanwhile, or another user's
    return sorted(found)


def _by_command_line(folder: Path, program: str) -> list[int]:
    """For systems without /proc."""
    listing = subprocess.run(["ps", "-axo", "pid=,command="], capture_output=True, text=True, check=False)
    rows = (line.split(None, 1) for line in listing.stdout.splitlines())
    return [int(r[0]) for r in rows if len(r) == 2 and program in r[1] and str(folder) in r[1]]


def end(
    find: Callable[[], list[int]],
    steps: Sequence[tuple[signal.Signals, float]],
    *,
    what: str,
    leader: int = 0,
) -> None:
    """Send each signal in turn, with its seconds to obey, until ``find`` returns nothing.

    While ``leader`` is among the found, it alone is signalled, unless the signal is SIGKILL.
    Raises RuntimeProblem when something remains.
    """
    for number, seconds in steps:
        found = find()
        for pid in [leader] if leader in found and number != signal.SIGKILL else found:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass
            except PermissionError:
                raise RuntimeProblem(f"{what} (process {pid}) belongs to another user; end it first.") from None
        deadline = time.monotonic() + seconds
        while find():
            if time.monotonic() > deadline:
                break
            time.sleep(POLL)
        else:
            return
    raise RuntimeProblem(f"{what} (process {find()[0]}) still runs and does not end; end it and start again.")
