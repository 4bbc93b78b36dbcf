"""The web server of the bench, alike for what is measured and for its limit, and a client that costs little itself.

``python -m bench.serving bare|guildhall PORT`` serves; ``serving(…)`` runs it in a process of its own.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from bench.cluster import Cluster
from config import Config
from core import logs
from core.actor import Actor
from core.members import service
from core.platform import Platform
from core.plugin import Plugin
from core.runtime.web import Server, application
from guildhall.web import RestBlueprint

ROOT = Path(__file__).resolve().parent.parent
THREADS = CLIENTS = 4
PATIENCE = 60  # seconds
EMAIL, PASSWORD = "bench@example.org", "correct horse battery"
NOTHING = "/api/v1/bench/nothing"
URLS = ("BENCH_DATABASE", "BENCH_REDIS", "BENCH_HOME")

rest = RestBlueprint("bench")


@rest.get("/nothing", signed_in=True)
@rest.response(200)
def nothing(session: Session, actor: Actor) -> None:
    """Answer a member with nothing."""


PLUGIN = Plugin("bench", version="1", label="Bench", rest=rest)


def bare() -> Any:
    """Flask with one view: the least that a route on this server costs."""
    from flask import Flask, jsonify

    app = Flask("bare")
    app.add_url_rule(NOTHING, view_func=lambda: jsonify({"success": True, "data": None, "meta": {"request_id": "x"}}))
    return app


def main(kind: str, port: str) -> None:
    database, redis, home = (os.environ[name] for name in URLS)
    logs.configure("INFO", process="web")
    config = Config(
        home=Path(home), port=int(port), web_workers=1, web_threads=THREADS,
        secret_key="bench-" + "x" * 40, encryption_keys=f"bench:{'A' * 43}=",
    )  # fmt: skip
    app = bare() if kind == "bare" else application(Platform(config, database, redis, [PLUGIN]))
    listener = socket.create_server(("127.0.0.1", config.port), backlog=256)
    os.set_inheritable(listener.fileno(), True)
    Server(app, config, listener).run()


@contextmanager
def serving(cluster: Cluster, platform: Platform, kind: str) -> Iterator[int]:
    """The server on a port of loopback; with the limits of the API counted, but high."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    metrics = cluster.home / f"metrics-{kind}"
    metrics.mkdir(exist_ok=True)
    urls = dict(zip(URLS, (platform.database.url, cluster.redis_url, str(cluster.home)), strict=True))
    high = {"GUILDHALL_SETTING_CORE__RATE_MEMBER": "1000000", "PROMETHEUS_MULTIPROC_DIR": str(metrics)}
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.serving", kind, str(port)], cwd=ROOT, env={**os.environ, **urls, **high},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        until = time.perf_counter() + PATIENCE
        while not _listens(port):
            if process.poll() is not None or time.perf_counter() > until:
                raise RuntimeError(f"the {kind} server does not start")
            time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait(PATIENCE)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def token(platform: Platform) -> str:
    """The access token of a new admin."""
    actor = Actor.system("bench")
    with platform.unit_of_work(actor) as session:
        service.register(session, actor, email=EMAIL, password=PASSWORD, display_name="Bench", roles=("Admin", "User"))
    client = application(platform).test_client()
    answer = client.post("/api/v1/core/auth/login", json={"email": EMAIL, "password": PASSWORD})
    return str(answer.get_json()["data"]["access_token"])


def request(path: str, access: str = "", body: bytes = b"", **headers: str) -> bytes:
    """A request as it goes over the wire; a body makes it a POST of JSON."""
    about = {"Host": "127.0.0.1", **headers}
    if access:
        about["Authorization"] = f"Bearer {access}"
    if body:
        about |= {"Content-Type": "application/json", "Content-Length": str(len(body))}
    lines = [f"{'POST' if body else 'GET'} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in about.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body


def load(port: int, make: Callable[[], bytes], seconds: float) -> tuple[float, list[float]]:
    """Requests a second of CLIENTS connections that are kept open, and the milliseconds of each request."""
    until = time.perf_counter() + seconds
    times: list[list[float]] = [[] for _ in range(CLIENTS)]
    problems: list[BaseException] = []

    def work(own: list[float]) -> None:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
                while (began := time.perf_counter()) < until:
                    _ask(connection, make())
                    own.append((time.perf_counter() - began) * 1000)
        except BaseException as problem:
            problems.append(problem)

    began = time.perf_counter()
    threads = [threading.Thread(target=work, args=(own,)) for own in times]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if problems:
        raise problems[0]
    every = [one for own in times for one in own]
    return len(every) / (time.perf_counter() - began), every


def _ask(connection: socket.socket, message: bytes) -> None:
    """One request; raises RuntimeError where the answer is no success."""
    connection.sendall(message)
    got = b""
    while b"\r\n\r\n" not in got:
        got += _some(connection)
    head, _, body = got.partition(b"\r\n\r\n")
    if not head.startswith((b"HTTP/1.1 200", b"HTTP/1.1 201")):
        raise RuntimeError(f"the server answers {got[:600]!r}")
    length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    left = length - len(body)
    while left > 0:
        left -= len(_some(connection))


def _some(connection: socket.socket) -> bytes:
    found = connection.recv(65536)
    if not found:
        raise RuntimeError("the server hung up")
    return found


def warm(port: int, messages: Sequence[Callable[[], bytes]]) -> None:
    """Let the server compile and connect before anything is measured."""
    for make in messages:
        load(port, make, 0.5)


if __name__ == "__main__":
    main(*sys.argv[1:])
