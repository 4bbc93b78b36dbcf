"""Webhooks sent to a receiver on this machine, against as many bare requests to it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import urllib3
from sqlalchemy import text

from bench.cluster import Cluster
from bench.figures import Figure, pairs
from core.events.deliver import Deliverer
from core.platform import Platform
from core.plugin import Plugin
from core.webhooks import service
from guildhall import Actor, Event, publish

DISK = True
EVENTS = 300


class Told(Event):
    """Something others are told."""

    event_name = "bench.word.told"
    number: int


def measure(cluster: Cluster, notes: list[str]) -> list[Figure]:
    actor = Actor.system("bench")
    cluster.config = cluster.config.model_copy(update={"webhook_networks": "127.0.0.0/8"})
    speaker = Plugin("bench", version="1", label="Bench", events=[Told])
    with _receiver() as url, cluster.platform(cluster.create("bench_webhooks"), [speaker]) as platform:
        with platform.unit_of_work(actor) as session:
            service.create(session, actor, {"url": url, "events": [Told.event_name], "description": "Bench"})
        sent = pairs(lambda: _sent(platform), lambda: _bare(url))
        with platform.unit_of_work() as session:
            wrong = session.scalar(text("SELECT count(*) FROM core_webhook_attempt WHERE status IS DISTINCT FROM 204"))
        if wrong:
            raise RuntimeError(f"{wrong} attempts failed")
    notes.append(
        f"webhooks: one thread, {EVENTS} events a turn, each signed, sent over a connection of its own, and logged with"
        " its attempt; the limit is bare requests to the same receiver."
    )
    name = "webhook deliveries, against bare requests"
    return [Figure(figure=name, value=sent.value, unit="deliveries/s", limit=sent.limit, paired=sent.ratio)]


def _sent(platform: Platform) -> float:
    actor = Actor.system("bench")
    with platform.unit_of_work(actor) as session:
        publish(session, actor, *(Told(number=number) for number in range(EVENTS)))
    began = time.perf_counter()
    done = Deliverer(platform.database).drain(seconds=120)
    seconds = time.perf_counter() - began
    if done != EVENTS:
        raise RuntimeError(f"{done} deliveries of {EVENTS}")
    return EVENTS / seconds


def _bare(url: str) -> float:
    began = time.perf_counter()
    for _number in range(EVENTS):
        with urllib3.PoolManager() as pool:
            pool.request("POST", url, body=b"{}")
    return EVENTS / (time.perf_counter() - began)


@contextmanager
def _receiver() -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
