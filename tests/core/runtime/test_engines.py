"""One owner of a home's engines; everybody else attaches."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import psycopg

from config import Config
from core.runtime import engines, orphans
from core.runtime.engines import Engines

ROOT = Path(__file__).resolve().parents[3]
VISITOR = """
import sys, time
from pathlib import Path
from config import Config
from core.runtime import engines
with engines(Config(home=Path(sys.argv[1]))) as urls:
    print(*urls, flush=True)
    time.sleep(float(sys.argv[2]))
"""


def settings(home: Path) -> Config:
    return Config(home=home, secret_key="x")


def visit(home: Path, seconds: float) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", VISITOR, str(home), str(seconds)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )


def first_line(process: subprocess.Popen[str]) -> list[str]:
    assert process.stdout is not None
    return process.stdout.readline().split()


def test_another_process_attaches_and_is_waited_for(home: Path) -> None:
    with engines(settings(home), throwaway=True) as urls:
        record = json.loads((home / "engines.json").read_text())
        assert [record["database_url"], record["redis_url"]] == list(urls)
        assert (home / "engines.json").stat().st_mode & 0o777 == 0o600
        with psycopg.connect(urls[0].replace("+psycopg", "", 1)) as connection:
            assert connection.execute("SHOW fsync").fetchone() == ("off",)
        visitor = visit(home, 1.0)
        assert first_line(visitor) == list(urls)
    assert visitor.wait(5) == 0, "the engines were stopped under the visitor"
    assert not {"postgres", "redis", "engines.json"} & {path.name for path in home.iterdir()}
    assert not Path(record["sockets"]).exists()


def test_visitors_wait_for_an_owner_that_starts(home: Path) -> None:
    visitors = [visit(home, 0.5) for _ in range(3)]
    answers = [first_line(visitor) for visitor in visitors]
    assert [visitor.wait(20) for visitor in visitors] == [0, 0, 0]
    assert all(len(answer) == 2 for answer in answers)
    assert not orphans.working_in(home / "postgres", "postgres")


def test_kill_9_of_the_owner_leaves_nothing_in_the_way(home: Path) -> None:
    owner = visit(home, 60)
    database, _ = first_line(owner)
    old = json.loads((home / "engines.json").read_text())["sockets"]
    owner.kill()
    owner.wait()
    deadline = time.monotonic() + 10
    while Path(old).exists():
        assert time.monotonic() < deadline, "the folder of the sockets was left behind"
        time.sleep(0.05)
    with engines(settings(home)) as urls:
        assert urls[0] != database
        with psycopg.connect(urls[0].replace("+psycopg", "", 1)) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)


def test_configured_urls_are_handed_on(home: Path) -> None:
    config = settings(home).model_copy(update={"database_url": "postgresql://db/x", "redis_url": "redis://r/0"})
    with engines(config) as urls:
        assert urls == ("postgresql://db/x", "redis://r/0")
    assert not home.exists()
    assert Engines(config).start() == ("postgresql://db/x", "redis://r/0")
    assert not (home / "engines.json").exists()
    with engines(config.model_copy(update={"redis_url": None})) as (database, redis):
        assert database == "postgresql://db/x"
        assert redis.startswith("unix:///")
        assert json.loads((home / "engines.json").read_text())["database_url"] is None
    assert not (home / "postgres").exists()


def test_a_fork_holds_nothing_on(home: Path) -> None:
    with engines(settings(home), throwaway=True):
        child = os.fork()
        if child == 0:
            time.sleep(30)
            os._exit(0)
    began = time.monotonic()
    with engines(settings(home), throwaway=True):
        assert time.monotonic() - began < 10
    os.kill(child, 9)
    os.waitpid(child, 0)
