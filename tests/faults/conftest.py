"""A private cluster and real processes on it; every test here runs serially, on one xdist worker."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text

from core.actor import Actor
from core.members import service
from core.platform import Platform
from core.runtime.lifeline import Lifeline
from core.runtime.postgres import EmbeddedPostgres
from core.runtime.redis import EmbeddedRedis
from tests.conftest import test_config
from tests.core.workshop import eventually as eventually
from tests.core.workshop import plain_logs as plain_logs
from tests.faults import alpha_plugin as alpha
from tests.proofs import broken

ROOT = Path(__file__).resolve().parents[2]
SYSTEM = Actor.system("test")
MAIL, PASSWORD = "ada@example.org", "correct horse battery"
DELIVERED = {"reward", "gather"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.faults)
            item.add_marker(pytest.mark.xdist_group("faults"))


class Receiver(ThreadingHTTPServer):
    """The other side of the external subscriber: writes down what it is told."""

    def __init__(self) -> None:
        self.told: Counter[str] = Counter()
        super().__init__(("127.0.0.1", 0), _Told)


class _Told(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, Receiver)
        self.server.told[self.rfile.read(int(self.headers["Content-Length"])).decode()] += 1
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: Any) -> None: ...


class House:
    """The cluster, the processes on it, and what a client and an auditor see from outside."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.postgres = EmbeddedPostgres(home)
        self.redis = EmbeddedRedis(home)
        self.receiver = Receiver()
        threading.Thread(target=self.receiver.serve_forever, daemon=True).start()
        urls = self.postgres.start(), self.redis.start()
        self.platform = Platform(test_config(), *urls, [alpha.plugin])
        self.platform.upgrade()
        with self.platform.unit_of_work(SYSTEM) as session:
            session.execute(text(alpha.TABLES))
            member = service.register(
                session, SYSTEM, email=MAIL, password=PASSWORD, display_name="Ada", roles=("User",)
            )
            self.member_id = member.id
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.lifeline = Lifeline()
        self.log = (home / "nursery.log").open("w")
        self.nursery = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.nursery", str(home), *urls],
            cwd=ROOT,
            env={
                **os.environ,
                **self.lifeline.env,
                alpha.RECEIVER: f"http://127.0.0.1:{self.receiver.server_port}",
                "GUILDHALL_SETTING_CORE__RATE_LIMITS": "yes",
                "GUILDHALL_SETTING_CORE__RATE_MEMBER": "1000000",
            },
            pass_fds=[self.lifeline.fd],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
        )
        self.running: list[int] = []
        self._token = ""

    def start(self, kind: str, when: str = "", wanted: str = "", given: str = "") -> int:
        """Begin a process; returns its id. With a point it ends there by itself (``nursery``)."""
        assert self.nursery.stdin and self.nursery.stdout
        self.nursery.stdin.write(f"{kind}\t{given or self.port}\t{when}\t{wanted}\n")
        self.nursery.stdin.flush()
        self.running.append(int(self.nursery.stdout.readline()))
        return self.running[-1]

    def kill(self, pid: int) -> None:
        os.killpg(pid, signal.SIGKILL)

    @staticmethod
    def gone(pid: int) -> bool:
        try:
            os.killpg(pid, 0)
        except ProcessLookupError:
            return True
        return False

    def write(self, key: str) -> tuple[int, dict[str, Any]]:
        """Ask for a note with an Idempotency-Key. Raises OSError or HTTPException when no answer comes."""
        return self.ask("/api/v1/alpha/notes", {"body": "x"}, {"Idempotency-Key": key, **self.token()})

    def token(self) -> dict[str, str]:
        if not self._token:
            _status, body = self.ask("/api/v1/core/auth/login", {"email": MAIL, "password": PASSWORD}, {})
            self._token = body["data"]["access_token"]
        return {"Authorization": f"Bearer {self._token}"}

    def ask(self, path: str, body: dict[str, Any], headers: dict[str, str]) -> tuple[int, dict[str, Any]]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json", **headers})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def serves(self) -> bool:
        """Whether the web answers."""
        try:
            return bool(self.token())
        except (OSError, http.client.HTTPException):
            return False

    def publish(self, many: int) -> list[str]:
        """Publish events as a service would; returns their ids."""
        with self.platform.unit_of_work(SYSTEM) as session:
            told = (alpha.Written(note_id=uuid4(), member_id=self.member_id) for _ in range(many))
            return [str(one) for one in alpha.publish(session, SYSTEM, *told)]

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with self.platform.unit_of_work() as session:
            return [tuple(row) for row in session.execute(text(query))]

    def count(self, what: str) -> int:
        return int(self.rows(f"SELECT count(*) FROM {what}")[0][0])

    def quiet(self) -> bool:
        """Whether everything is delivered; what waits for its next try is made due."""
        with self.platform.unit_of_work() as session:
            ours = "(subscriber LIKE 'alpha.%' OR subscriber LIKE 'core.automation.%')"
            mine = f"{ours} AND subscriber <> 'alpha.send' AND state = 'pending'"
            session.execute(text(f"UPDATE core_delivery SET due_at = now() WHERE due_at > now() AND {mine}"))
        return not self.count("core_delivery WHERE state <> 'done'")

    def check(self) -> None:
        """Each accepted event had each transactional effect once, reached the outside, and every proof holds."""
        events = {str(key) for (key,) in self.rows("SELECT id FROM core_event WHERE name = 'alpha.note.written'")}
        effects = Counter((str(key), by) for key, by in self.rows("SELECT event, by FROM alpha_effect"))
        assert effects == Counter((key, by) for key in events for by in DELIVERED)
        assert set(self.receiver.told) == events, "at least once, and by the same id"
        points = f"SELECT coalesce(sum(posted), 0) FROM wallet_account WHERE member_id = '{self.member_id}'"
        assert self.rows(points)[0][0] - self.points == len(events)
        assert broken(self.platform) == []

    def begin_anew(self) -> None:
        """Nobody works, nothing waits, and Redis remembers nothing; the member and the ledger stay."""
        for pid in self.running:
            if not self.gone(pid):
                self.kill(pid)
        while not all(map(self.gone, self.running)):
            pass
        self.running = []
        tables = "core_event, core_delivery, core_job, core_schedule, core_worker, core_idempotency"
        with self.platform.unit_of_work() as session:
            session.execute(text(f"TRUNCATE {tables}, alpha_note, alpha_effect, alpha_step"))
            points = text("SELECT coalesce(sum(posted), 0) FROM wallet_account WHERE member_id = :id")
            self.points = int(session.scalar(points, {"id": self.member_id}) or 0)
        self.receiver.told.clear()
        assert self.platform.bell is not None
        self.platform.bell.client.flushdb()

    def end(self) -> None:
        for pid in self.running:
            if not self.gone(pid):
                self.kill(pid)
        self.lifeline.close()
        self.nursery.communicate()
        self.log.close()
        self.receiver.shutdown()
        self.receiver.server_close()
        self.platform.database.dispose()
        self.redis.destroy()
        self.postgres.destroy()


@pytest.fixture(scope="session")
def cluster_of_faults() -> Iterator[House]:
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    home = Path(tempfile.mkdtemp(prefix="guildhall-faults-", dir=memory))
    home.chmod(0o755)
    made = House(home)
    yield made
    made.end()
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def house(cluster_of_faults: House) -> House:
    cluster_of_faults.begin_anew()
    return cluster_of_faults


@pytest.fixture
def serve(house: House, eventually: Callable[..., None]) -> Callable[..., int]:
    """Begins the web and waits until it answers; a point counts from then on."""

    def begin(when: str = "", wanted: str = "") -> int:
        pid = house.start("web", when, wanted)
        eventually(house.serves, 30)
        eventually(lambda: _listens(house.port), 30)
        return pid

    return begin


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
