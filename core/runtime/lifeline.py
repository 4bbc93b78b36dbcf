"""Ends a process when its supervisor is gone, whatever ended the supervisor (kill -9 too).

The supervisor holds the write end of a pipe and nobody else does; the kernel closes it with the process.
Our own processes call ``watch()``. A foreign program runs under a keeper, which is this file as a script:
``python -I -S lifeline.py --stop INT:60,QUIT:10 [--user UID --group GID] [--tidy FOLDER…] -- PROGRAM …``.
Standard library only, and no import of this project: the script is run by its path.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType

VARIABLE = "LIFELINE_FD"
PREPARED = "PREPARED_FD"


class Lifeline:
    """The supervisor's side: pass ``fds`` to children (``pass_fds``), close it to end them."""

    def __init__(self) -> None:
        self.fd, self._held = os.pipe()
        self._gate, self._shut = os.pipe()
        self._open = True
        self._waiting = True
        # A fork without exec would hold the write end too, and outlive us with it.
        os.register_at_fork(after_in_child=self.close)

    @property
    def env(self) -> dict[str, str]:
        """What a child's environment needs."""
        return {VARIABLE: str(self.fd), PREPARED: str(self._gate)}

    @property
    def fds(self) -> list[int]:
        """What to hand to a child (``pass_fds``)."""
        return [self.fd, self._gate]

    def prepared(self) -> None:
        """Let go everybody in ``wait_until_prepared()``. Safe to call twice."""
        if self._waiting:
            self._waiting = False
            os.close(self._shut)

    def close(self) -> None:
        """Let go: every watcher of this lifeline ends its process. Safe to call twice."""
        if self._open:
            self._open = False
            self.prepared()
            for descriptor in (self._held, self.fd, self._gate):
                os.close(descriptor)


def watch(grace: float = 20.0) -> bool:
    """End this process when the supervisor ends: SIGTERM to itself, a hard exit ``grace`` seconds later.

    Returns whether there is a supervisor to watch; without ``LIFELINE_FD`` nothing happens.
    Threads do not survive a fork: call it in the process that handles SIGTERM (for gunicorn, the master).
    """
    if not os.environ.get(VARIABLE, "").isdecimal():
        return False
    fd = int(os.environ[VARIABLE])

    def end() -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(grace)
        os._exit(1)

    threading.Thread(target=_at_end_of, args=(fd, end), name="lifeline", daemon=True).start()
    return True


def wait_until_prepared() -> None:
    """Wait until the supervisor's preparations are done; without a supervisor, not at all."""
    if os.environ.get(PREPARED, "").isdecimal():
        _at_end_of(int(os.environ[PREPARED]), lambda: None)


def _at_end_of(fd: int, act: Callable[[], None]) -> None:
    try:
        while os.read(fd, 64):
            pass
    except OSError:
        pass  # a descriptor we cannot read is as good as a closed one
    act()


def keep(arguments: list[str]) -> int:
    """Run a program until it ends or the lifeline does; returns its exit code. See the module's text."""
    parser = argparse.ArgumentParser(prog="lifeline")
    parser.add_argument("--stop", default="TERM:10", help="signals and the seconds each one is given")
    parser.add_argument("--user", type=int)
    parser.add_argument("--group", type=int)
    parser.add_argument("--tidy", nargs="*", default=[], help="folders to remove at the end, if empty")
    parser.add_argument("program", nargs="+")
    options = parser.parse_args(arguments)
    steps = [step.split(":") for step in options.stop.split(",")]
    fd = int(os.environ.pop(VARIABLE))
    os.environ.pop("LD_LIBRARY_PATH", None)  # was for this interpreter, not for the program
    ending = threading.Event()

    def ask(_number: int, _frame: FrameType | None) -> None:
        ending.set()

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, ask)
    groups: list[int] | None = None if options.user is None else []
    child = subprocess.Popen(
        options.program, stdin=subprocess.DEVNULL, user=options.user, group=options.group, extra_groups=groups
    )

    def end_child() -> None:
        ending.wait()
        for name, seconds in steps:
            child.send_signal(signal.Signals[f"SIG{name}"])
            try:
                child.wait(float(seconds))
                return
            except subprocess.TimeoutExpired:
                pass
        child.kill()

    threading.Thread(target=end_child, daemon=True).start()
    threading.Thread(target=_at_end_of, args=(fd, ending.set), daemon=True).start()
    code = child.wait()
    for folder in options.tidy if ending.is_set() else []:
        with contextlib.suppress(OSError):  # somebody else's socket is still in it
            os.rmdir(folder)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    try:
        sys.exit(keep(sys.argv[1:]))
    except OSError as problem:
        sys.exit(f"{problem.filename or 'lifeline'}: {problem.strerror}")
