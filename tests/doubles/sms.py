"""A provider of text messages on loopback, and a plugin that hands messages to it.

It speaks the wire format of Twilio's Messages resource (``POST /2010-04-01/Accounts/{account}/Messages.json``, a form
of ``To``, ``From`` and ``Body``, HTTP Basic; 201 with ``sid``, or an error with ``code`` and ``message``), with an
``Idempotency-Key`` by which a message that was sent already is answered again and not sent twice.
"""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlencode
from uuid import UUID

import urllib3

from guildhall import Plugin, Settings, hookimpl, read_settings

ACCOUNT, TOKEN, SENDER = "AC0123456789abcdef", "token-of-the-double", "+15005550006"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class Provider:
    """What has been sent, and what it answers next. ``down`` answers 503, ``cut`` sends and says nothing."""

    def __init__(self, url: str = "") -> None:
        self.sent: list[dict[str, str]] = []
        self.asked = 0
        self.down = False
        self.cut = False
        self.url = url
        self._known: dict[str, dict[str, str]] = {}
        self._lock = threading.Lock()

    @property
    def code(self) -> str:
        """The digits of the newest message."""
        found = re.search(r"\b\d{8}\b", self.sent[-1]["Body"])
        assert found
        return found[0]

    def take(self, key: str, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        with self._lock:
            self.asked += 1
            if self.down:
                return 503, {"code": 20503, "message": "Service unavailable", "status": 503}
            if not re.fullmatch(r"\+[1-9]\d{6,14}", form.get("To", "")):
                return 400, {"code": 21211, "message": "Invalid 'To' Phone Number", "status": 400}
            if key not in self._known:
                self.sent.append(form)
                self._known[key] = {"sid": f"SM{len(self.sent):032x}", "status": "queued"}
            return 201, self._known[key]


@contextmanager
def provider() -> Iterator[Provider]:
    """A provider that listens on loopback until the block ends."""
    made = Provider()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            basic = "Basic " + base64.b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode()
            if self.headers["Authorization"] != basic:
                status, answer = 401, {"code": 20003, "message": "Authenticate", "status": 401}
            elif self.path != f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json":
                status, answer = 404, {"code": 20404, "message": "Not found", "status": 404}
            else:
                form = {name: values[-1] for name, values in parse_qs(body).items()}
                status, answer = made.take(self.headers["Idempotency-Key"], form)
            if made.cut:  # the message is sent, and nobody hears of it
                made.cut = False
                self.close_connection = True
                return
            told = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(told)))
            self.end_headers()
            self.wfile.write(told)

        def log_message(self, *_arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class TextSettings(Settings):
    only: str = ""


def texts(name: str, url: Callable[[], str]) -> Plugin:
    """A plugin that sends text messages through the provider at ``url()``, to numbers that begin with ``only``."""

    class OwnSettings(TextSettings):
        pass

    @hookimpl
    def send_sms(unit_of_work: Any, number: str, text: str, reference: UUID) -> str | None:
        with unit_of_work() as session:
            only = read_settings(session, OwnSettings).only
        if not number.startswith(only):
            return None
        answer = urllib3.request(
            "POST",
            f"{url()}/2010-04-01/Accounts/{ACCOUNT}/Messages.json",
            body=urlencode({"To": number, "From": SENDER, "Body": text}),
            headers={
                **urllib3.make_headers(basic_auth=f"{ACCOUNT}:{TOKEN}"),
                **FORM,
                "Idempotency-Key": str(reference),
            },
            timeout=5,
            retries=False,
        )
        if answer.status != 201:
            raise RuntimeError(f"the provider answered {answer.status}")
        return str(answer.json()["sid"])

    return Plugin(name, version="1", label=name, settings=OwnSettings, hooks=SimpleNamespace(send_sms=send_sms))
