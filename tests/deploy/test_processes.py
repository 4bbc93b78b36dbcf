"""The processes as the containers run them: addresses from the environment, ended by SIGTERM."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, text

from core.platform import Platform
from guildhall import Actor, Member, new_id
from plugins.contributions import service
from plugins.notifications.models import Notification

from ..conftest import Cluster, test_config

ROOT = Path(__file__).resolve().parents[2]
Start = Callable[..., subprocess.Popen[bytes]]
START_SECONDS = 60  # a busy machine
END_SECONDS = 25


class Machine:
    """An empty database, a Redis of one's own number, a free port; runs ``guildhall`` with nothing else set."""

    def __init__(self, cluster: Cluster, home: Path) -> None:
        self.url, self.home = cluster.database(f"deploy_{cluster.worker}"), home
        self._cluster = cluster
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("GUILDHALL_", "LIFELINE"))}
        self.env = {
            **kept,
            "GUILDHALL_DATABASE_URL": self.url,
            "GUILDHALL_REDIS_URL": cluster.redis_url,
            "GUILDHALL_SECRET_KEY": "deploy-" + "x" * 40,
            "GUILDHALL_HOME": str(home),
            "GUILDHALL_PORT": str(self.port),
        }
        self._drop()
        self._admin(f"CREATE DATABASE deploy_{cluster.worker}")
        self.processes: list[subprocess.Popen[bytes]] = []

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "app", *arguments]
        return subprocess.run(command, cwd=ROOT, env=self.env, capture_output=True, text=True, timeout=120, check=False)

    def start(self, name: str) -> subprocess.Popen[bytes]:
        with self._log(name).open("wb") as log:
            command = [sys.executable, "-m", "app", name]
            self.processes.append(subprocess.Popen(command, cwd=ROOT, env=self.env, stdout=log, stderr=log))
        return self.processes[-1]

    def log(self, name: str) -> str:
        return self._log(name).read_text(errors="replace")

    def get(self, path: str) -> tuple[int, Any]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as problem:
            return problem.code, problem.read().decode()
        except OSError:
            return 0, ""

    def close(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait()
        self._drop()

    def _log(self, name: str) -> Path:
        return self.home / f"{name}.log"

    def _drop(self) -> None:
        self._admin(f"DROP DATABASE IF EXISTS deploy_{self._cluster.worker} WITH (FORCE)")

    def _admin(self, statement: str) -> None:
        with self._cluster.admin.connect() as connection:
            connection.execute(text(statement))


@pytest.fixture
def machine(cluster: Cluster, tmp_path: Path) -> Iterator[Machine]:
    made = Machine(cluster, tmp_path)
    yield made
    made.close()


def wait_for(condition: Callable[[], object], what: Callable[[], str], seconds: float = START_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what()
        time.sleep(0.1)


def test_the_containers_commands_work_together_and_end_well(machine: Machine, cluster: Cluster) -> None:
    upgraded = machine.run("db", "upgrade")
    assert upgraded.returncode == 0, upgraded.stdout + upgraded.stderr
    web = machine.start("web")
    wait_for(lambda: machine.get("/health/ready")[0] == 200, lambda: machine.log("web"))
    ready = json.loads(machine.get("/health/ready")[1])
    assert ready["status"] == "ok" and ready["checks"]["database"] == ready["checks"]["redis"] == "ok"
    assert machine.get("/health")[0] == machine.get("/login")[0] == 200
    worker, scheduler = machine.start("worker"), machine.start("scheduler")

    platform = Platform(test_config(), machine.url, cluster.redis_url)
    actor = Actor.system("test")
    with platform.unit_of_work(actor) as session:
        member = Member(id=new_id(), display_name="Ada L.")
        session.add(member)
        session.flush()
        service.record(session, actor, member_id=member.id, type="challenge.win")

    def told() -> set[str]:
        with platform.unit_of_work() as session:
            notices = select(Notification.kind).where(Notification.member_id == member.id)
            return set(session.scalars(notices))

    def open_deliveries() -> int:
        with platform.unit_of_work() as session:
            query = select(func.count()).select_from(text("core_delivery")).where(text("state <> 'done'"))
            return session.scalar(query) or 0

    def logs() -> str:
        return machine.log("worker") + machine.log("scheduler")

    wait_for(lambda: {"badge_awarded", "milestone_reached"} <= told(), logs)
    wait_for(lambda: open_deliveries() == 0, logs)
    wait_for(lambda: "scheduler leads" in machine.log("scheduler"), logs)
    code, metrics = machine.get("/metrics")
    assert code == 200 and "guildhall_deliveries" in metrics
    platform.database.dispose()

    for name, process in (("web", web), ("worker", worker), ("scheduler", scheduler)):
        assert process.poll() is None, machine.log(name)
        process.send_signal(signal.SIGTERM)
    for name, process in (("web", web), ("worker", worker), ("scheduler", scheduler)):
        assert process.wait(END_SECONDS) == 0, machine.log(name)
        assert "Traceback" not in machine.log(name)


def test_a_process_says_what_it_lacks(machine: Machine) -> None:
    machine.env.pop("GUILDHALL_DATABASE_URL")
    for name in ("web", "worker", "scheduler"):
        done = machine.run(name)
        assert done.returncode == 1
        assert "Set GUILDHALL_DATABASE_URL" in done.stderr
    assert not (machine.home / "postgres").exists()
