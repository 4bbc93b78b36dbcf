"""Runs Guildhall on one machine: the embedded engines, then our processes; ends them in order."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from rich.console import Console

from config import Config
from core.runtime.engines import Engines, home_lock
from core.runtime.lifeline import Lifeline
from core.runtime.lock import home_is_taken
from core.runtime.problem import RuntimeProblem, StartCancelled, from_os_error
from core.runtime.status import Status

TICK = 0.2  # seconds between looks at the children
BACK_OFF = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)  # seconds before the first, second, … restart
SETTLED = 60.0  # seconds of running after which earlier crashes are forgotten
PATIENCE = 5.0  # seconds a command that uses this home is given to finish
TAIL = 15  # lines of a crashed child's log that are shown


@dataclass(frozen=True)
class Process:
    """A child to run: a name for people, a command, additions to its environment.

    ``stop_seconds`` is how long it may take to end after SIGTERM before it is killed. An ``early`` one is started
    while ``prepare`` still runs, loads meanwhile, and calls ``lifeline.wait_until_prepared()`` before it serves.
    ``delay_seconds`` leaves the processors to the others first.
    """

    name: str
    argv: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    stop_seconds: float = 10.0
    early: bool = False
    delay_seconds: float = 0.0


class Supervisor:
    """Starts engines and processes, restarts what crashes, ends all of it in the given order.

    ``prepare(database_url, redis_url)`` is called once, when the engines run, and before processes that are not early.
    Children get GUILDHALL_DATABASE_URL, GUILDHALL_REDIS_URL, GUILDHALL_HOME, GUILDHALL_DEMO,
    LIFELINE_FD and a folder in common for what they count.
    On a terminal their output goes to ``<home>/log/<name>.log``, otherwise to ours.
    """

    def __init__(
        self,
        config: Config,
        processes: Sequence[Process],
        *,
        prepare: Callable[[str, str], None] | None = None,
        console: Console | None = None,
    ) -> None:
        self.config = config
        self.status = Status(f"Guildhall at {config.url} (Ctrl-C ends it)", console)
        self._prepare = prepare
        self._stops = 0
        self._stopping = threading.Event()
        self._processes = processes

    def stop(self) -> None:
        """Ask ``run()`` to end; a second call ends the processes without waiting for them."""
        self._stops += 1
        self._stopping.set()

    def run(self) -> int:
        """Run until SIGINT, SIGTERM or ``stop()``; returns the exit code 0.

        Raises RuntimeProblem when it cannot start: home in use, port taken, an engine that does not start.
        """
        lock = home_lock(self.config.home)
        if not lock.take("run") and (lock.holder()[1] == "run" or not lock.wait(PATIENCE, role="run")):
            raise home_is_taken(lock)
        engines = Engines(self.config)
        try:
            check_port(self.config.host, self.config.port)
            with self._signals(), self.status:
                self._run(engines)
        except StartCancelled:
            pass
        finally:
            lock.release()
        return 0

    def _run(self, engines: Engines) -> None:
        for name, _ in engines.members:
            self.status.set(name, "starting")
        urls = engines.start(self._stopping.is_set)
        lifeline = Lifeline()
        children: list[Child] = []
        try:
            for name, _ in engines.members:
                self.status.set(name, "running")
            env = self._environment(*urls)
            log = self.config.home / "log" if self.status.is_live else None
            children += [Child(process, env, lifeline, log, self.status) for process in self._processes]
            for child in children:
                if child.process.early:
                    child.tend()
            if self._prepare:
                self._prepare(*urls)
            lifeline.prepared()
            for child in children:
                child.delay()
            while not self._stopping.is_set():
                for name, engine in engines.members:
                    if not engine.running:
                        self._revive(name, engine.start)
                for child in children:
                    child.tend()
                self._stopping.wait(TICK)
        finally:
            for child in children:
                child.end(hurry=lambda: self._stops > 1)
            lifeline.close()
            engines.stop(self.status.set)

    def _revive(self, name: str, start: Callable[..., str]) -> None:
        """Start an engine that ended by itself; its URL stays the same, so our processes reconnect."""
        for attempt in range(len(BACK_OFF)):
            self.status.set(name, "restarting")
            try:
                start(cancelled=self._stopping.is_set)
            except StartCancelled:
                return
            except RuntimeProblem as problem:
                self.status.note(str(problem))
                if self._stopping.wait(BACK_OFF[attempt]):
                    return
            else:
                self.status.set(name, "running")
                return
        raise RuntimeProblem(f"{name} ended and does not start again; see {self.config.home / 'log'}.")

    def _environment(self, database_url: str, redis_url: str) -> dict[str, str]:
        return {
            **os.environ,
            "GUILDHALL_DATABASE_URL": database_url,
            "GUILDHALL_REDIS_URL": redis_url,
            "GUILDHALL_HOME": str(self.config.home),
            "PROMETHEUS_MULTIPROC_DIR": str(self._figures()),
            # With a URL given, a child cannot tell that the engine is embedded, which decides about the demo.
            "GUILDHALL_DEMO": "true" if self.config.load_demo else "false",
        }

    def _figures(self) -> Path:
        """The folder where our processes count, so that the web process shows the figures of all; emptied."""
        folder = self.config.home / "metrics"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        def ask(_number: int, _frame: FrameType | None) -> None:
            self.stop()

        if threading.current_thread() is not threading.main_thread():
            yield
            return
        numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        before = {number: signal.signal(number, ask) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


class Child:
    """One of our processes and what it takes to keep it running."""

    def __init__(
        self, process: Process, env: Mapping[str, str], lifeline: Lifeline, logs: Path | None, status: Status
    ) -> None:
        self.process = process
        self._env = {**env, **lifeline.env, **process.env}
        self._fds = lifeline.fds
        self._log = logs / f"{process.name}.log" if logs else None
        self._status = status
        self._popen: subprocess.Popen[bytes] | None = None
        self._crashes = 0
        self._started = 0.0
        self._due = 0.0

    def tend(self) -> None:
        """Start it when it is due, notice its end."""
        now = time.monotonic()
        if self._popen is None:
            if now >= self._due:
                self._start()
            return
        code = self._popen.poll()
        if code is None:
            return
        self._kill_group()  # what it left behind would hold its port
        self._popen = None
        if now - self._started > SETTLED:
            self._crashes = 0
        delay = BACK_OFF[min(self._crashes, len(BACK_OFF) - 1)]
        self._crashes += 1
        self._due = now + delay
        self._show_log()
        reason = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        self._status.set(self.process.name, "crashed", f"{reason}; next start in {delay:g} s")

    def delay(self) -> None:
        """Start it not before its delay is over."""
        self._due = time.monotonic() + self.process.delay_seconds

    def end(self, hurry: Callable[[], bool]) -> None:
        """SIGTERM, then SIGKILL after its deadline, or at once when ``hurry()`` turns true."""
        if self._popen is None:
            self._status.set(self.process.name, "stopped")
            return
        self._status.set(self.process.name, "stopping")
        self._popen.terminate()
        deadline = time.monotonic() + self.process.stop_seconds
        while self._popen.poll() is None and time.monotonic() < deadline and not hurry():
            time.sleep(TICK / 4)
        self._kill_group()
        self._popen.wait()
        self._popen = None
        self._status.set(self.process.name, "stopped")

    def _start(self) -> None:
        try:
            if self._log:
                self._log.parent.mkdir(parents=True, exist_ok=True)
                with self._log.open("ab") as output:
                    self._popen = self._spawn(output.fileno())
            else:
                self._popen = self._spawn(None)
        except OSError as problem:
            raise from_os_error(problem, self._log or Path(self.process.argv[0])) from None
        self._started = time.monotonic()
        self._status.set(self.process.name, "running", f"process {self._popen.pid}")

    def _spawn(self, output: int | None) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            list(self.process.argv),
            env=self._env,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=self._fds,
            start_new_session=True,  # Ctrl-C is for the supervisor, which ends children in order
        )

    def _kill_group(self) -> None:
        if self._popen:
            with contextlib.suppress(ProcessLookupError, PermissionError):  # nothing of it is left
                os.killpg(self._popen.pid, signal.SIGKILL)

    def _show_log(self) -> None:
        if self._log and self._log.exists():
            with self._log.open("rb") as file:
                file.seek(max(0, self._log.stat().st_size - 8192))
                for line in file.read().decode("utf-8", "replace").splitlines()[-TAIL:]:
                    self._status.note(f"{self.process.name} | {line}")


def check_port(host: str, port: int) -> None:
    """Raises RuntimeProblem when nothing can listen on ``host:port``."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except socket.gaierror:
        raise RuntimeProblem(f"The host {host} is unknown; set GUILDHALL_HOST to an address of yours.") from None
    except PermissionError:
        raise RuntimeProblem(f"Port {port} is for root only; choose another, like PORT=8000.") from None
    except OSError as problem:
        if problem.errno == errno.EADDRINUSE:
            raise RuntimeProblem(
                f"Port {port} is taken by another program; end it, or choose another, like PORT={port + 1}."
            ) from None
        raise RuntimeProblem(f"Nothing can listen on {host}:{port}: {problem.strerror}.") from None
