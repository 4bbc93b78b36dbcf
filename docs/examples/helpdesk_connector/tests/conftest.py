"""A help desk on this machine that speaks the wire format, and forgets nothing it was asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest


class Desk:
    """``asked`` are the keys of all requests, ``tickets`` the numbers by key, ``answers`` statuses to give first."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.tickets: dict[str, str] = {}
        self.answers: list[int] = []
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def take(self, key: str) -> tuple[int, dict[str, str]]:
        self.asked.append(key)
        if self.answers and (status := self.answers.pop(0)) >= 400:
            return status, {}
        return 201, {"number": self.tickets.setdefault(key, f"T-{len(self.tickets) + 1}")}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        desk = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                status, said = desk.take(self.headers["Idempotency-Key"])
                body = json.dumps(said).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments: Any) -> None:
                """Silence: a test tells by its assertions."""

        return Handler


@pytest.fixture
def desk() -> Iterator[Desk]:
    made = Desk()
    yield made
    made.server.shutdown()
    made.server.server_close()
