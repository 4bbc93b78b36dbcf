"""Runs one engine under a watcher process that stops it cleanly when this process ends."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from core.runtime import lifeline
from core.runtime.lifeline import Lifeline
from core.runtime.problem import from_os_error

LOG_LIMIT = 10 * 1024 * 1024  # bytes; a longer log is set aside at the next start
ENV = {"PATH": os.defpath, "LC_ALL": "C"}  # engines must not depend on the caller's locale or PG* variables


@dataclass(frozen=True)
class Account:
    """The unprivileged user that an engine runs as when Guildhall runs as root."""

    uid: int
    gid: int


class Keeper:
    """Starts and stops one engine. ``stop`` names signals with seconds, like ``INT:60,QUIT:10``."""

    def __init__(self, stop: str) -> None:
        self._stop = stop
        self._patience = sum(float(step.split(":")[1]) for step in stop.split(",")) + 5
        self._process: subprocess.Popen[bytes] | None = None
        self._lifeline: Lifeline | None = None
        self._log_start = 0
        self._log: Path | None = None

    def start(
        self,
        argv: Sequence[str],
        *,
        log: Path,
        account: Account | None = None,
        tidy: Sequence[Path] = (),
    ) -> None:
        """Start the engine; its output goes to ``log``. Raises RuntimeProblem.

        The folders ``tidy``, when empty, are removed after a stop, even if this process is gone by then.
        """
        self.stop()
        options = ["--stop", self._stop, "--tidy", *map(str, tidy)]
        if account:
            options += ["--user", str(account.uid), "--group", str(account.gid)]
        try:
            log.parent.mkdir(parents=True, exist_ok=True)
            if log.exists() and log.stat().st_size > LOG_LIMIT:
                log.replace(log.with_name(log.name + ".1"))
            self._lifeline = Lifeline()
            with log.open("ab") as output:
                self._log, self._log_start = log, output.tell()
                self._process = subprocess.Popen(
                    # -I keeps this folder off the module path: redis.py here must not hide the redis package.
                    [sys.executable, "-I", "-S", lifeline.__file__, *options, "--", *argv],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    env={**ENV, **_interpreter_env(), **self._lifeline.env},
                    pass_fds=[self._lifeline.fd],
                    cwd="/",
                    start_new_session=True,  # Ctrl-C is for the supervisor, which ends engines in order
                )
        except OSError as problem:
            raise from_os_error(problem, log) from None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def output(self) -> str:
        """What the engine has logged since it was started."""
        if self._log is None:
            return ""
        with self._log.open("rb") as file:
            file.seek(self._log_start)
            return file.read().decode("utf-8", "replace")

    def stop(self) -> None:
        """Stop the engine and wait for its end, with deadlines; does nothing when it does not run."""
        if self._lifeline:
            self._lifeline.close()
        if self._process:
            try:
                self._process.wait(self._patience)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._process = self._lifeline = None


def _interpreter_env() -> dict[str, str]:
    """What some Python builds need to start at all; the keeper does not hand it on to the engine."""
    path = os.environ.get("LD_LIBRARY_PATH")
    return {"LD_LIBRARY_PATH": path} if path else {}
