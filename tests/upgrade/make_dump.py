"""Make the populated dump that the next release is tested to upgrade from: ``python -m tests.upgrade.make_dump NAME``.

Run it on a release's own code, just before the release, and commit ``tests/upgrade/<NAME>.sql.gz``; a dump is never
changed afterwards. It holds a small community made through the services: every bundled plugin has rows, handlers and
jobs have run, and secrets are sealed under the key of ``tests.conftest.test_config``.
"""

from __future__ import annotations

import gzip
import subprocess
import sys
import tempfile
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import text

from core.actor import Actor
from core.clock import now
from core.events.deliver import Deliverer
from core.jobs.run import run_next
from core.platform import Platform
from core.runtime.binaries import postgres_bin
from core.runtime.engines import engines
from tests.conftest import test_config

FOLDER = Path(__file__).parent
PASSWORD = "correct horse battery"
DEEDS = 600
LARGEST = 300_000  # bytes


def populate(platform: Platform) -> None:
    """A community in which everything has happened a few times."""
    from core import settings
    from core.audit.seal import seal
    from core.jobs import queue
    from core.members import service as members
    from core.members import totp, two_factor
    from core.platform_settings import PlatformSettings
    from plugins.demo import service as demo

    few = demo.deeds
    demo.deeds = lambda end: islice(few(end), DEEDS)  # the history of two years would be too large
    demo.load(platform)
    actor = Actor.system("dump")
    with platform.unit_of_work(actor) as session:
        for name, roles in {"ada": ("Admin", "User"), "ben": ("Moderator", "User"), "cleo": ("User",)}.items():
            member = members.register(
                session, actor, email=f"{name}@example.org", password=PASSWORD, display_name=name, roles=roles
            )
            if name == "ben":
                secret = two_factor.begin(session, member.id).secret
                two_factor.enable(session, actor, member.id, totp.code_at(secret, totp.step_of(now())))
        settings.write(session, actor, PlatformSettings, {"delivery_days": 30})
        queue.enqueue(session, actor, "core.sweep_events")
    visit(platform)
    deliverer = Deliverer(platform.database)
    while deliverer.drain() or run_next(platform.database):
        pass
    with platform.unit_of_work(actor) as session:
        while seal(session):
            pass
        # Some of what is in flight when a release is installed.
        again = "state = 'pending', done_at = NULL, due_at = now()"
        session.execute(text(f"UPDATE core_delivery SET {again} WHERE id = (SELECT max(id) FROM core_delivery)"))


def visit(platform: Platform) -> None:
    """Somebody signs in and writes with an Idempotency-Key: a session, its tokens, a kept answer."""
    from app import create_app

    client = create_app(platform).test_client()
    answer = client.post("/api/v1/core/auth/login", json={"email": "cleo@example.org", "password": PASSWORD})
    headers = {"Authorization": f"Bearer {answer.get_json()['data']['access_token']}", "Idempotency-Key": "kept"}
    suggestion = {"title": "A longer lunch", "body": "An hour and a half."}
    made = client.post("/api/v1/suggestions/suggestions", json=suggestion, headers=headers)
    assert made.status_code == 201, made.get_json()


def dump(url: Any, path: Path) -> None:
    """Write the database as plain SQL, gzipped, the same bytes for the same content."""
    program = str(postgres_bin() / "pg_dump")
    command = [program, "--no-owner", "--no-privileges", "--dbname", str(url).replace("+psycopg", "", 1)]
    plain = subprocess.run(command, check=True, capture_output=True).stdout
    path.write_bytes(gzip.compress(plain, 9, mtime=0))


def main(name: str) -> None:
    path = FOLDER / f"{name}.sql.gz"
    if path.exists():
        raise SystemExit(f"{path} exists; a dump is never changed.")
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        home.chmod(0o755)
        with engines(test_config(home=home), throwaway=True) as (database_url, _redis_url):
            platform = Platform(test_config(home=home), database_url, None)
            platform.upgrade()
            populate(platform)
            platform.database.dispose()
            dump(database_url, path)
    size = path.stat().st_size
    print(f"{path}: {size} bytes")
    if size > LARGEST:
        raise SystemExit(f"That is more than {LARGEST} bytes; make the community smaller.")


if __name__ == "__main__":
    main(*sys.argv[1:])
