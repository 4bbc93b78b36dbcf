"""One owner of a home at a time: an advisory lock that the kernel lets go with its process."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

from core.runtime.problem import RuntimeProblem, from_os_error

POLL = 0.05  # seconds


class FileLock:
    """A lock file. ``note`` tells others who holds it: ``<process id> <role>``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd: int | None = None
        # The lock is shared by a fork; a forked child must not hold it on when we end.
        os.register_at_fork(after_in_child=self._forget)

    def take(self, role: str = "", *, shared: bool = False) -> bool:
        """Take the lock if it is free. Raises RuntimeProblem when the file cannot be used."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            fd = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as problem:
            raise from_os_error(problem, self.path) from None
        try:
            fcntl.flock(fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except OSError as problem:
            os.close(fd)
            if isinstance(problem, BlockingIOError):
                return False
            raise from_os_error(problem, self.path) from None
        if not shared:
            os.truncate(fd, 0)
            os.write(fd, f"{os.getpid()} {role}".encode())
        self._fd = fd
        return True

    def wait(self, seconds: float, role: str = "") -> bool:
        """Take the lock within ``seconds``."""
        deadline = time.monotonic() + seconds
        while not self.take(role):
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL)
        return True

    def holder(self) -> tuple[int, str]:
        """Process id and role of the holder, as far as known."""
        try:
            pid, _, role = self.path.read_text().partition(" ")
            return int(pid), role
        except (OSError, ValueError):
            return 0, ""

    def release(self) -> None:
        """Let go. Safe to call twice."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _forget(self) -> None:
        self.release()


def home_is_taken(lock: FileLock) -> RuntimeProblem:
    pid, role = lock.holder()
    who = "`guildhall run`" if role == "run" else "guildhall command"
    return RuntimeProblem(
        f"Another {who} (process {pid}) uses the folder {lock.path.parent}: end it, "
        "or set GUILDHALL_HOME to another folder."
    )
