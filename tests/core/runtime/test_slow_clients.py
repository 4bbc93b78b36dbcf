"""The real web process and clients that take their time: they cost no thread, so others are served."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from http.client import HTTPConnection
from pathlib import Path

import pytest

from core.runtime import patience
from core.runtime.patience import Paced
from tests.conftest import Cluster

ROOT = Path(__file__).resolve().parents[3]
THREADS = 2
JSON = b"Content-Type: application/json\r\n"


@pytest.fixture(scope="module")
def port(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A web process of one worker with two threads."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        chosen: int = probe.getsockname()[1]
    home = tmp_path_factory.mktemp("slow")
    own = {"HOME": home, "PORT": chosen, "DATABASE_URL": cluster.fresh("slow"), "REDIS_URL": cluster.redis_url}
    own |= {"WEB_WORKERS": 1, "WEB_THREADS": THREADS, "LOG_LEVEL": "ERROR"}
    environment = {**os.environ, **{f"GUILDHALL_{name}": str(value) for name, value in own.items()}}
    process = subprocess.Popen([sys.executable, "-m", "app", "web"], cwd=ROOT, env=environment)
    deadline = time.monotonic() + 60
    while True:
        with suppress(OSError):
            if ask(chosen, "GET", "/health") == 200:
                break
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.1)
    yield chosen
    process.terminate()
    process.wait(30)


def ask(port: int, method: str, path: str, body: bytes | None = None, **headers: str) -> int:
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path, body, headers)
        return connection.getresponse().status
    finally:
        connection.close()


def send(port: int, data: bytes) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port), timeout=30)
    client.sendall(data)
    return client


@pytest.mark.parametrize(
    "begin",
    [
        b"GET /health HTTP/1.1\r\nHost: x\r\nX-Slow: ",
        b"POST /api/v1/core/auth/login HTTP/1.1\r\nHost: x\r\n" + JSON + b"Content-Length: 900\r\n\r\n{",
        b"POST /api/v1/core/auth/login HTTP/1.1\r\nHost: x\r\n" + JSON + b"Content-Length: 900000\r\n\r\n{",
        b"POST /api/v1/core/auth/login HTTP/1.1\r\nHost: x\r\n" + JSON + b"Transfer-Encoding: chunked\r\n\r\nfff\r\n{",
        b"POST /api/v1/core/auth/login HTTP/1.1\r\nHost: x\r\n"
        + JSON
        + b"Expect: 100-continue\r\nContent-Length: 9\r\n\r\n",
    ],
    ids=["heads", "bodies", "large-bodies", "chunks", "asking-first"],
)
def test_clients_that_drip_hold_up_nobody(port: int, begin: bytes) -> None:
    dripping = [send(port, begin) for _ in range(THREADS * 5)]
    ended = threading.Event()

    def drip() -> None:
        while not ended.wait(0.1):
            for client in dripping:
                with suppress(OSError):
                    client.send(b"x")

    thread = threading.Thread(target=drip)
    thread.start()
    try:
        assert [ask(port, "GET", "/health") for _ in range(5)] == [200] * 5
    finally:
        ended.set()
        thread.join()
        for client in dripping:
            client.close()


def test_a_request_in_pieces_is_answered(port: int) -> None:
    with send(port, b"GET /hea") as client:
        for piece in (b"lth HT", b"TP/1.1\r\nHost: x\r\n", b"\r\n"):
            time.sleep(0.02)
            client.sendall(piece)
        assert client.recv(12) == b"HTTP/1.1 200"


def test_a_body_that_comes_after_its_head_is_read(port: int) -> None:
    head = b"POST /api/v1/core/auth/refresh HTTP/1.1\r\nHost: x\r\n" + JSON
    with send(port, head + b"Content-Length: 23\r\n\r\n") as client:
        time.sleep(0.05)
        client.sendall(b'{"refresh_token": "no"}')
        assert client.recv(12) == b"HTTP/1.1 401"


def test_two_requests_at_once_on_one_connection_are_both_answered(port: int) -> None:
    request = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
    with send(port, request * 2) as client:
        answered = b""
        while answered.count(b"HTTP/1.1 200") < 2:
            more = client.recv(65536)
            assert more, answered
            answered += more


def test_a_client_that_asks_before_it_sends_is_told_to(port: int) -> None:
    head = b"POST /api/v1/core/auth/refresh HTTP/1.1\r\nHost: x\r\n" + JSON
    with send(port, head + b"Expect: 100-continue\r\nContent-Length: 23\r\n\r\n") as client:
        assert client.recv(12) == b"HTTP/1.1 100"
        client.sendall(b'{"refresh_token": "no"}')
        answered = b""
        while b"HTTP/1.1 401" not in answered:
            more = client.recv(65536)
            assert more, answered
            answered += more


def test_a_large_body_arrives_whole(port: int) -> None:
    body = b'{"refresh_token": "no"}'.ljust(900_000)
    headers = {"Content-Type": "application/json"}
    assert ask(port, "POST", "/api/v1/core/auth/refresh", body, **headers) == 401
    assert ask(port, "POST", "/api/v1/core/auth/refresh", body * 2, **headers) == 413


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /health HTTP/1.1\r\nHost: x\r\n" + b"".join(b"X-%d: x\r\n" % n for n in range(200)) + b"\r\n", b"431"),
        (b"GET /health HTTP/1.1\r\nHost: x\r\nX-Long: " + b"x" * 20_000 + b"\r\n\r\n", b"431"),
        (b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", b"4"),
        (b"POST /health HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", b"4"),
        (b"POST /health HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"4"),
        (b"GET /health HTTP/1.1\r\nHost: x\r\nBad Header: x\r\n\r\n", b"4"),
    ],
    ids=["many-headers", "long-header", "long-address", "two-lengths", "length-and-chunks", "space-in-name"],
)
def test_what_could_be_read_in_two_ways_is_refused(port: int, request_: bytes, status: bytes) -> None:
    with send(port, request_) as client:
        assert client.recv(64).split()[1].startswith(status)


def test_a_body_must_keep_up_a_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "ARRIVAL_SECONDS", 0.2)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        paced = Paced(ours)
        theirs.sendall(b"abc")
        assert paced.recv(10) == b"abc"
        ended = threading.Event()

        def drip() -> None:
            while not ended.wait(0.02):
                theirs.send(b"x")

        thread = threading.Thread(target=drip)
        thread.start()
        try:
            with pytest.raises(TimeoutError):
                while True:
                    assert paced.recv(10)
        finally:
            ended.set()
            thread.join()
