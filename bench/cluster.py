"""A PostgreSQL and a Redis of the bench's own, with real durability, thrown away at the end."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import sqlalchemy as sa

from config import Config
from core.platform import Platform
from core.plugin import Plugin
from core.runtime import engines
from core.runtime.binaries import postgres_bin
from core.runtime.postgres import EmbeddedPostgres

TEMPLATE = "bench_template"


class Cluster:
    """Hands out databases; every one is a copy of a migrated template."""

    def __init__(self, home: Path, database_url: str, redis_url: str) -> None:
        self.home, self.redis_url = home, redis_url
        self.config = Config(home=home, secret_key="bench-" + "x" * 40, encryption_keys=f"bench:{'A' * 43}=")
        self._url = sa.make_url(database_url)
        self._admin = sa.create_engine(self._url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
        self.create(TEMPLATE, None)
        with self.platform(TEMPLATE) as platform:
            platform.upgrade()

    @property
    def data(self) -> Path:
        """Where PostgreSQL's files are; the probe writes beside them."""
        return (self.home / "postgres").resolve().parent

    def create(self, name: str, template: str | None = TEMPLATE) -> str:
        """A new database, a copy of ``template``; returns its name."""
        with self._admin.connect() as connection:
            connection.execute(sa.text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
            connection.execute(sa.text(f"CREATE DATABASE {name}" + (f" TEMPLATE {template}" if template else "")))
        return name

    @contextmanager
    def platform(self, name: str, extra: Iterable[Plugin] = ()) -> Iterator[Platform]:
        """A platform on a database that exists."""
        url = self._url.set(database=name).render_as_string(hide_password=False)
        platform = Platform(self.config, url, self.redis_url, extra)
        try:
            yield platform
        finally:
            platform.database.dispose()

    def checkpoint(self) -> None:
        """Let no measurement pay for what the one before has written."""
        with self._admin.connect() as connection:
            connection.execute(sa.text("CHECKPOINT"))

    def pgbench(self, database: str, *arguments: str) -> str:
        """What pgbench prints."""
        socket = parse_qs(urlsplit(self._url.render_as_string()).query)["host"][0]
        where = ["-h", socket, "-p", "5432", "-U", str(self._url.username)]
        command = [str(postgres_bin() / "pgbench"), *where, *arguments, database]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(done.stderr.strip())
        return done.stdout


@contextmanager
def cluster() -> Iterator[Cluster]:
    """Start it, and delete it at the end. fsync is on."""
    with scratch() as home, engines(Config(home=home, secret_key="x" * 40)) as urls:
        yield Cluster(home, *urls)


@contextmanager
def scratch() -> Iterator[Path]:
    """A temporary home whose database is deleted too, wherever it lies."""
    home = Path(tempfile.mkdtemp(prefix="guildhall-bench-"))
    try:
        yield home
    finally:
        EmbeddedPostgres(home).destroy()
        shutil.rmtree(home, ignore_errors=True)
