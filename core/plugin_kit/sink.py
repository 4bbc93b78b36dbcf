"""A receiver of webhooks on this machine that checks each signature, as a library of Standard Webhooks does.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from core.actor import Actor
from core.platform import Platform
from core.webhooks import service

PREFIX = "whsec_"


class Sink:
    """What arrived is in ``received``, oldest first: the body read, with its ``headers``; ``refused`` are sentences on
    what came with a wrong signature. ``answers`` are statuses to give, one a request; 200 when they are used up."""

    def __init__(self, platform: Platform) -> None:
        self.received: list[dict[str, Any]] = []
        self.refused: list[str] = []
        self.answers: list[int] = []
        self._platform = platform
        self._secrets: list[str] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/"

    def listen(self, *events: str) -> None:
        """Make a webhook here for these events, names or patterns such as ``wallet.*``."""
        with self._platform.unit_of_work(actor := Actor.system("plugin kit")) as session:
            values = {"url": self.url, "events": list(events), "description": "test"}
            self._secrets.append(service.create(session, actor, values).secret)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def take(self, headers: dict[str, str], body: bytes) -> int:
        """Check one request; the status to answer."""
        if self._secrets and not any(signed_by(secret, headers, body) for secret in self._secrets):
            self.refused.append(f"the signature of {headers.get('webhook-id', 'a request without id')} does not fit")
            return 400
        self.received.append({**json.loads(body or b"{}"), "headers": headers})
        return self.answers.pop(0) if self.answers else 200

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        sink = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                status = sink.take({name.lower(): value for name, value in self.headers.items()}, body)
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *arguments: Any) -> None:
                """Silence: a test tells by its assertions."""

        return Handler


def signed_by(secret: str, headers: dict[str, str], body: bytes) -> bool:
    """Whether one of the signatures is that of ``id.timestamp.body`` by ``secret``."""
    signed = f"{headers.get('webhook-id')}.{headers.get('webhook-timestamp')}.".encode() + body
    key = base64.b64decode(secret.removeprefix(PREFIX))
    wanted = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    given = headers.get("webhook-signature", "").split()
    return any(hmac.compare_digest(one.encode(), f"v1,{wanted}".encode()) for one in given)
