"""A gunicorn worker that gives a thread only to requests that have arrived, so that slow clients hold up nobody.

The main loop collects the head of a request, and a small body with it; a thread takes over when both are there.
A larger body is read by the thread, and must keep up a least pace.
"""

from __future__ import annotations

import re
import selectors
import socket
import time
from functools import partial
from typing import Any

from gunicorn.workers.gthread import TConn, ThreadWorker

ARRIVAL_SECONDS = 10.0  # for the head and a small body
SMALL = 64 * 1024
LARGEST_HEAD = 128 * 1024  # beyond what gunicorn takes: it then refuses by itself
PACE = 16 * 1024  # bytes a second that a larger body must keep up
EXPECTS = re.compile(rb"\r\nexpect:", re.I)
LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,12})[ \t]*\r\n", re.I)


class Paced:
    """A socket whose reads end with TimeoutError when the other side falls behind its pace."""

    def __init__(self, wrapped: socket.socket) -> None:
        self._socket = wrapped
        self._until = time.monotonic() + ARRIVAL_SECONDS

    def recv(self, size: int) -> bytes:
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError("the request comes too slowly")
        given = self._socket.gettimeout()
        self._socket.settimeout(left if given is None else min(left, given))
        try:
            data = self._socket.recv(size)
        finally:
            self._socket.settimeout(given)
        self._until += len(data) / PACE
        return data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)


class PatientWorker(ThreadWorker):  # type: ignore[misc]
    """gunicorn's threaded worker, with the waiting done in its main loop."""

    def enqueue_req(self, conn: TConn) -> None:
        """Give a connection that has something to say to a thread, as soon as the request is there."""
        conn.init()
        if self._arrived(conn):
            self._start(conn)
        else:
            conn.timeout = time.monotonic() + ARRIVAL_SECONDS
            self.pending_conns.append(conn)
            self.poller.register(conn.sock, selectors.EVENT_READ, partial(self._more, conn))

    def _more(self, conn: TConn, _socket: Any) -> None:
        if self._arrived(conn):
            self.poller.unregister(conn.sock)
            self.pending_conns.remove(conn)
            self._start(conn)

    def _start(self, conn: TConn) -> None:
        conn.parser.unreader.sock = Paced(conn.sock)
        super().enqueue_req(conn)

    def _arrived(self, conn: TConn) -> bool:
        """Take in what the connection holds; whether a thread would have to wait for nothing (more)."""
        unreader = conn.parser.unreader
        held, ended = unreader.take_buffered(), False
        conn.sock.setblocking(False)
        try:
            while len(held) < LARGEST_HEAD and not ended:
                data = conn.sock.recv(SMALL)
                held, ended = held + data, not data
        except BlockingIOError:
            pass
        except OSError:
            ended = True  # the thread finds out in the same way, and closes
        unreader.unread(held)
        return ended or _whole(held)


def _whole(held: bytes) -> bool:
    """Whether ``held`` is a head with its small body; of a large or chunked one, the head alone."""
    head, found, body = held.partition(b"\r\n\r\n")
    if not found:
        return len(held) >= LARGEST_HEAD
    length = LENGTH.search(head + b"\r\n")
    asks_first = EXPECTS.search(head) is not None  # such a client sends its body when it is told to
    return length is None or asks_first or not len(body) < int(length[1]) <= SMALL
