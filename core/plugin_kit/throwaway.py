"""A PostgreSQL whose databases live as long as a test: nothing of an installation is touched."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from config import Config, new_key
from core.runtime import engines

# The engines of a run of tests that have started already: "<PostgreSQL URL> <Redis URL>".
RUNNING = "GUILDHALL_TEST_CLUSTER"
MIGRATED = "template_guildhall"  # such a run may have a database of the core and the bundled plugins to copy
NOWHERE = "redis://127.0.0.1:9/0"  # so that no Redis is started; nothing here asks one


class Server:
    """Makes databases and takes them away again."""

    def __init__(self, url: str) -> None:
        self.url = sa.make_url(url)
        self._admin = sa.create_engine(self.url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
        self._made: list[str] = []

    def database(self, template: str = "") -> str:
        """The URL of a new database: a copy of the database ``template``, which nobody uses now, else an empty one."""
        name = f"kit_{os.getpid()}_{secrets.token_hex(4)}"
        template = template and str(sa.make_url(template).database)
        with self._admin.connect() as connection:
            known = "SELECT 1 FROM pg_database WHERE datname = :name"
            if not template and connection.scalar(sa.text(known), {"name": MIGRATED}):
                template = MIGRATED
            connection.execute(sa.text(f"CREATE DATABASE {name}" + (f" TEMPLATE {template}" if template else "")))
        self._made.append(name)
        return self.url.set(database=name).render_as_string(hide_password=False)

    def renew(self, url: str, template: str) -> None:
        """Let the database ``url`` be a copy of ``template`` again, whoever is connected."""
        name, source = sa.make_url(url).database, sa.make_url(template).database
        with self._admin.connect() as connection:
            connection.execute(sa.text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
            connection.execute(sa.text(f"CREATE DATABASE {name} TEMPLATE {source}"))

    def drop(self, url: str = "") -> None:
        """Take away one database, or all that were made here."""
        names = [str(sa.make_url(url).database)] if url else list(self._made)
        with self._admin.connect() as connection:
            for name in names:
                connection.execute(sa.text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
                self._made.remove(name)


@contextmanager
def server() -> Iterator[Server]:
    """A server of one's own, in memory where that can be, and gone at the end; or that of a run that has one."""
    if running := os.environ.get(RUNNING):
        made = Server(running.split()[0])
        try:
            yield made
        finally:
            made.drop()
        return
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    home = Path(tempfile.mkdtemp(prefix="guildhall-kit-", dir=memory))
    try:
        with engines(config_of(home=home, redis_url=NOWHERE), throwaway=True) as (database_url, _redis_url):
            yield Server(database_url)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def config_of(home: Path, **values: object) -> Config:
    """Boot settings with secrets of their own, of no installation; webhooks may reach this machine."""
    given = {"secret_key": secrets.token_urlsafe(48), "encryption_keys": new_key(), "home": home, **values}
    return Config.model_validate({"webhook_networks": "127.0.0.0/8", **given})
