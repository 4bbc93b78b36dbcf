"""A real supervisor in a process of its own, with small children."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from core.runtime import orphans
from core.runtime.lifeline import watch
from core.runtime.problem import RuntimeProblem
from core.runtime.supervisor import check_port

ROOT = Path(__file__).resolve().parents[3]
CHILD = """
import os, signal, sys, time
from core.runtime.lifeline import watch
assert watch(grace=1)
signal.signal(signal.SIGTERM, signal.SIG_IGN if sys.argv[1] == "deaf" else lambda *_: sys.exit(0))
print(sys.argv[1], os.environ["GUILDHALL_DATABASE_URL"], os.environ["GUILDHALL_REDIS_URL"],
      os.environ["GUILDHALL_DEMO"], flush=True)
open(os.path.join(os.environ["GUILDHALL_HOME"], sys.argv[1] + ".pid"), "w").write(str(os.getpid()))
while True:
    time.sleep(0.1)
"""
SUPERVISOR = """
import sys
from pathlib import Path
from config import Config
from core.runtime import Process, RuntimeProblem, Supervisor
names = sys.argv[4:]
processes = [Process(name, [sys.executable, "-c", sys.argv[3], name], stop_seconds=0.5) for name in names]
try:
    config = Config(home=Path(sys.argv[1]), port=int(sys.argv[2]))
    sys.exit(Supervisor(config, processes, prepare=lambda *urls: print("prepare", *urls, flush=True)).run())
except RuntimeProblem as problem:
    sys.exit(str(problem))
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for(condition: Callable[[], object], seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class Run:
    """One supervisor process."""

    def __init__(self, home: Path, *names: str, port: int | None = None) -> None:
        self.home, self.names, self.port = home, names, port or free_port()
        home.mkdir(exist_ok=True)
        for name in names:
            (home / f"{name}.pid").unlink(missing_ok=True)
        self.output = home.parent / "output.txt"
        with self.output.open("w") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-c", SUPERVISOR, str(home), str(self.port), CHILD, *names],
                cwd=ROOT,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def child(self, name: str) -> int:
        path = self.home / f"{name}.pid"
        wait_for(lambda: path.exists() and path.read_text())
        return int(path.read_text())

    def lines(self) -> list[str]:
        return self.output.read_text().splitlines()


@pytest.fixture
def start(home: Path) -> Iterator[Callable[..., Run]]:
    runs: list[Run] = []

    def begin(*names: str, port: int | None = None) -> Run:
        runs.append(Run(home, *names, port=port))
        return runs[-1]

    yield begin
    for run in runs:
        if run.process.poll() is None:
            run.process.kill()
        run.process.wait()
    wait_for(lambda: not orphans.working_in(home / "postgres", "postgres"))


def test_ends_everything_in_order(start: Callable[..., Run], home: Path) -> None:
    run = start("web", "deaf", "worker")
    pids = [run.child(name) for name in run.names]
    began = time.monotonic()
    os.killpg(run.process.pid, signal.SIGINT)  # as a terminal does, to the whole group
    assert run.process.wait(15) == 0
    assert time.monotonic() - began < 10
    states = [line for line in run.lines() if re.search(r": (stopped|stopping)$", line)]
    order = ["web", "deaf", "worker", "Redis", "PostgreSQL"]
    assert states == [f"{name}: {state}" for name in order for state in ("stopping", "stopped")]
    assert not any(alive(pid) for pid in pids)
    prepared = next(line for line in run.lines() if line.startswith("prepare"))
    assert re.match(r"prepare postgresql\+psycopg://.*/pg&port=5432 unix:///.*/redis\.sock$", prepared)
    assert any(line.startswith("web postgresql+psycopg://") and line.endswith(" true") for line in run.lines())
    assert not (home / "engines.json").exists()


def test_kill_9_of_the_supervisor_blocks_nothing(start: Callable[..., Run], home: Path) -> None:
    run = start("web", "deaf")
    pids = [run.child(name) for name in run.names]
    run.process.kill()
    run.process.wait()
    again = start("web", port=run.port)
    again.child("web")
    wait_for(lambda: not any(alive(pid) for pid in pids), 5)
    again.process.terminate()
    assert again.process.wait(15) == 0


def test_crashed_children_and_engines_come_back(start: Callable[..., Run], home: Path) -> None:
    run = start("web")
    first = run.child("web")
    (home / "web.pid").unlink()
    os.kill(first, signal.SIGKILL)
    assert run.child("web") != first
    assert "web: crashed (signal SIGKILL; next start in 0.5 s)" in run.lines()

    url = json.loads((home / "engines.json").read_text())["database_url"].replace("+psycopg", "", 1)
    pid = int((home / "postgres" / "postmaster.pid").read_text().split()[0])
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: run.lines().count("PostgreSQL: running") == 2)
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    run.process.terminate()
    assert run.process.wait(15) == 0


def test_a_second_run_and_a_taken_port_are_one_sentence(start: Callable[..., Run], home: Path) -> None:
    run = start("web")
    run.child("web")
    second = subprocess.run(
        [sys.executable, "-c", SUPERVISOR, str(home), str(free_port()), CHILD],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert second.returncode == 1
    assert second.stderr == (
        f"Another `guildhall run` (process {run.process.pid}) uses the folder {home}: end it, "
        "or set GUILDHALL_HOME to another folder.\n"
    )
    run.process.terminate()
    run.process.wait(15)

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        blocked = start("web", port=port)
        assert blocked.process.wait(15) == 1
        assert blocked.lines() == [
            f"Port {port} is taken by another program; end it, or choose another, like PORT={port + 1}."
        ]
    with pytest.raises(RuntimeProblem, match=r"^The host no\.such\.host\.invalid is unknown"):
        check_port("no.such.host.invalid", 8000)
    with pytest.raises(RuntimeProblem, match=r"^Nothing can listen on 192\.0\.2\.1:8000"):
        check_port("192.0.2.1", 8000)


def test_without_a_supervisor_there_is_nothing_to_watch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LIFELINE_FD", raising=False)
    assert watch() is False
