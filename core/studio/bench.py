"""The process in which designs are tried out, seen from the one that asks.

The child loads Guildhall once and forks for each question, so that a question costs little and whatever a design does
ends with its fork. It is started at the first question, and ends by itself when nobody asked for a while or its parent
is gone.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Any

from config import Config
from core.studio.errors import BenchFailed

START_SECONDS = 120.0
ANSWER_SECONDS = 45.0


class Bench:
    """One child at most; questions wait for each other. Safe in threads, and made anew after a fork.

    ``unknown()`` are plugins that were not there when the process that asks was started: the child ignores them too.
    """

    def __init__(self, config: Config, database_url: str, unknown: Callable[[], Collection[str]]) -> None:
        self.config = config
        self.unknown = unknown
        self.database_url = database_url
        self._lock = threading.Lock()
        self._child: _Child | None = None

    def ask(self, question: dict[str, Any], without: str = "") -> dict[str, Any]:
        """The answer of a fork, which has an ``error`` or not. ``without`` is a plugin that the child does not load.

        Raises BenchFailed where the child dies or does not answer in time.
        """
        if not self._lock.acquire(timeout=ANSWER_SECONDS):
            raise BenchFailed(problem="others ask at this moment")
        try:
            for fresh in (False, True):  # a child that rested too long has ended
                child = self._ready(without)
                try:
                    return child.ask(question, ANSWER_SECONDS)
                except (OSError, EOFError, ValueError) as problem:
                    self.close()
                    if fresh or isinstance(problem, TimeoutError):
                        raise BenchFailed(problem=f"{type(problem).__name__}: no answer") from None
            raise AssertionError
        finally:
            self._lock.release()

    def close(self) -> None:
        """End the child."""
        child, self._child = self._child, None
        if child is not None and child.parent == os.getpid():
            child.end()

    def _ready(self, without: str) -> _Child:
        child = self._child
        if child is not None and (child.without != without or child.parent != os.getpid() or child.ended):
            self.close()
        if self._child is None:
            self._child = _Child(without)
            try:
                self._child.begin(self.config, self.database_url, self.unknown())
            except (OSError, EOFError, ValueError):
                self.close()
                raise BenchFailed(problem="it could not be started") from None
        return self._child


class _Child:
    """The child and the line to it: a JSON text a line, in turns."""

    def __init__(self, without: str) -> None:
        self.without = without
        self.parent = os.getpid()
        self._line, theirs = socket.socketpair()
        place = os.pathsep.join(filter(None, sys.path))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "core.studio.child", str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": place},
        )
        theirs.close()
        self._read = self._line.makefile("rb")

    def begin(self, config: Config, database_url: str, unknown: Collection[str]) -> None:
        blocked = ",".join(filter(None, (config.disabled_plugins, self.without, *unknown)))
        settings = config.model_copy(update={"disabled_plugins": blocked}).model_dump(mode="json")
        about = {"config": settings, "database_url": database_url}
        if not self.ask(about, START_SECONDS).get("ready"):
            raise ValueError("not ready")

    @property
    def ended(self) -> bool:
        return self._process.poll() is not None

    def ask(self, question: dict[str, Any], seconds: float) -> dict[str, Any]:
        self._line.settimeout(seconds)
        self._line.sendall(json.dumps(question).encode() + b"\n")
        answer = self._read.readline()
        if not answer:
            raise EOFError
        found: dict[str, Any] = json.loads(answer)
        return found

    def end(self) -> None:
        with suppress(OSError):
            self._read.close()
            self._line.close()
        self._process.kill()
        self._process.wait()
