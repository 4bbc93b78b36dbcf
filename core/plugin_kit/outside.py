"""A stand-in for everything outside: a receiver on this machine, and a wall that lets no call past it."""

from __future__ import annotations

import ipaddress
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

CALLS = {"socket.connect", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo", "socket.gethostbyname"}
LONGEST = 10_000_000  # bytes of a body that are read
_up: list[bool] = []


class CalledOutside(ConnectionError):
    """Something called an address that is not of this machine while a ``wall`` stood."""


@contextmanager
def receiver() -> Iterator[str]:
    """The address of an HTTP server on this machine that answers each request with 200 and ``{}``."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Answer)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Answer(BaseHTTPRequestHandler):
    def _answer(self) -> None:
        left = self.headers.get("Content-Length", "0")
        self.rfile.read(min(int(left), LONGEST) if left.isdigit() else 0)
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "2")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(b"{}")

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _answer

    def log_message(self, *arguments: Any) -> None:
        """Silence: what is found is told as a finding."""


@contextmanager
def wall() -> Iterator[None]:
    """While it stands, whoever in this process calls another machine gets CalledOutside instead."""
    _watch()
    _up.append(True)
    try:
        yield
    finally:
        _up.pop()


@cache
def _watch() -> None:
    """An audit hook cannot be taken away again, so it is added once."""
    sys.addaudithook(_refuse)


def _refuse(event: str, arguments: tuple[Any, ...]) -> None:
    if not _up or event not in CALLS:
        return
    target = arguments[0] if event.startswith("socket.get") else arguments[-1]
    host = target[0] if isinstance(target, tuple) and target else target
    if isinstance(target, (str, bytes)) and not event.startswith("socket.get"):
        return  # a socket in the file system
    if host is not None and not _of_this_machine(host):
        raise CalledOutside(f"it calls {host if isinstance(host, str) else 'another machine'}")


def _of_this_machine(host: Any) -> bool:
    text = host.decode("ascii", "replace") if isinstance(host, (bytes, bytearray)) else str(host)
    if text in ("", "localhost"):
        return True
    try:
        return ipaddress.ip_address(text.partition("%")[0]).is_loopback
    except ValueError:
        return False
