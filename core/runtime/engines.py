"""The engines of one home together: who owns them, how others find them."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import psycopg

from config import Config
from core.runtime.lock import POLL, FileLock, home_is_taken
from core.runtime.postgres import EmbeddedPostgres
from core.runtime.problem import from_os_error
from core.runtime.redis import EmbeddedRedis, answers
from core.runtime.sockets import SocketFolder, base_folder, remove_left_behind

ATTACH_SECONDS = 130.0  # an owner that starts may be in crash recovery


class Engines:
    """Starts what the configuration leaves to us, and records it in ``<home>/engines.json``.

    The caller holds the home's lock. ``throwaway`` is for tests: no fsync, nothing is left at the end.
    """

    def __init__(self, config: Config, *, throwaway: bool = False) -> None:
        self.home = config.home
        self.database_url = config.database_url or ""
        self.redis_url = config.redis_url or ""
        self._record = self.home / "engines.json"
        self._throwaway = throwaway
        self._sockets = SocketFolder()
        self.postgres: EmbeddedPostgres | None = None
        self.redis: EmbeddedRedis | None = None
        if config.database_url is None:
            outside = (base_folder(),) if throwaway else None
            self.postgres = EmbeddedPostgres(self.home, self._sockets, fsync=not throwaway, outside=outside)
        if config.redis_url is None:
            self.redis = EmbeddedRedis(self.home, self._sockets, durable=not throwaway)

    @property
    def members(self) -> list[tuple[str, EmbeddedPostgres | EmbeddedRedis]]:
        """The embedded engines by name, in starting order."""
        return [(n, e) for n, e in (("PostgreSQL", self.postgres), ("Redis", self.redis)) if e is not None]

    def start(self, cancelled: Callable[[], bool] = lambda: False) -> tuple[str, str]:
        """Start them and return (database URL, Redis URL). Raises RuntimeProblem; then nothing runs."""
        _forget_earlier(self._record)
        try:
            if self.postgres:
                self.database_url = self.postgres.start(cancelled=cancelled)
            if self.redis:
                self.redis_url = self.redis.start(cancelled=cancelled)
            if self.members:
                self._write_record()
        except BaseException:
            self.stop()
            raise
        return self.database_url, self.redis_url

    def stop(self, report: Callable[[str, str], None] = lambda name, state: None) -> None:
        """Redis first, PostgreSQL last. ``report`` is told of each one's state."""
        with contextlib.ExitStack() as stack:  # the last in is the first out; one's failure spares no other
            stack.callback(self._sockets.remove)
            for name, engine in self.members:
                stack.callback(report, name, "stopped")
                stack.callback(engine.destroy if self._throwaway else engine.stop)
                stack.callback(report, name, "stopping")
            stack.callback(self._record.unlink, missing_ok=True)

    def _write_record(self) -> None:
        urls = {
            "database_url": self.postgres and self.database_url,
            "redis_url": self.redis and self.redis_url,
        }
        new = self._record.with_name("engines.json.new")
        try:
            new.unlink(missing_ok=True)
            with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                json.dump({"pid": os.getpid(), "sockets": str(self._sockets.path), **urls}, file, indent=2)
            new.replace(self._record)
        except OSError as problem:
            raise from_os_error(problem, self._record) from None


def home_lock(home: Path) -> FileLock:
    """The lock that the owner of a home's engines holds."""
    return FileLock(home / "lock")


def _visitors_lock(home: Path) -> FileLock:
    """Shared by the commands that use another command's engines, so that it stays until they are done."""
    return FileLock(home / "lock.visitors")


def read_record(home: Path) -> dict[str, str]:
    """What ``engines.json`` says; empty when there is none."""
    try:
        record = json.loads((home / "engines.json").read_text())
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def _forget_earlier(record: Path) -> None:
    if sockets := read_record(record.parent).get("sockets"):
        remove_left_behind(Path(sockets))
    try:
        record.unlink(missing_ok=True)
    except OSError as problem:
        raise from_os_error(problem, record) from None


@contextlib.contextmanager
def engines(config: Config, *, throwaway: bool = False) -> Iterator[tuple[str, str]]:
    """(database URL, Redis URL) of a home, for a command beside or without `guildhall run`.

    URLs of the configuration are handed on as they are. For the rest it attaches to the engines that run for
    this home, or starts them and stops them at the end, after the last command that attached meanwhile.
    ``throwaway=True`` (tests): no fsync, and all data is deleted at the end. Raises RuntimeProblem.
    """
    if config.database_url and config.redis_url:
        yield config.database_url, config.redis_url
        return
    lock, visitors = home_lock(config.home), _visitors_lock(config.home)
    deadline = time.monotonic() + ATTACH_SECONDS
    while not lock.take("command"):
        if visitors.take(shared=True):
            urls = _attach(config)
            if urls:
                try:
                    yield urls
                finally:
                    visitors.release()
                return
            visitors.release()
        if time.monotonic() > deadline:
            raise home_is_taken(lock)
        time.sleep(POLL)
    try:
        ours = Engines(config, throwaway=throwaway)
        urls = ours.start()
        try:
            yield urls
        finally:
            try:
                visitors.wait(float("inf"))
            finally:
                ours.stop()
    finally:
        visitors.release()
        lock.release()


def _attach(config: Config) -> tuple[str, str] | None:
    """The URLs of the running engines, or None while they do not answer."""
    record = read_record(config.home)
    database_url = config.database_url or record.get("database_url")
    redis_url = config.redis_url or record.get("redis_url")
    if not database_url or not redis_url:
        return None
    if config.redis_url is None and not answers(Path(unquote(urlsplit(redis_url).path))):
        return None
    if config.database_url is None:
        try:
            psycopg.connect(database_url.replace("+psycopg", "", 1), connect_timeout=5).close()
        except psycopg.Error:
            return None
    return database_url, redis_url
