"""A gunicorn worker that gives a thread only to requests that have arrived, so that slow clients hold up nobody.

The main loop collects the head of a request, and a small body with it; a thread takes over when both are there.
A larger body, or one of no stated length, is read by the thread, and must keep up a least pace; such requests together
never have more than half of the threads, the others wait their turn.
"""

from __future__ import annotations

import re
import selectors
import socket
import time
from collections import deque
from functools import partial
from typing import Any, Literal

from gunicorn.workers.gthread import TConn, ThreadWorker

ARRIVAL_SECONDS = 10.0  # for the head and a small body
SMALL = 64 * 1024
LARGEST_HEAD = 128 * 1024  # beyond what gunicorn takes: it then refuses by itself
TURN_SECONDS = 30.0  # how long a body of its own waits for one of the threads that read
PACE = 16 * 1024  # bytes a second that a larger body must keep up
EXPECTS = re.compile(rb"\r\nexpect:", re.I)
CHUNKED = re.compile(rb"\r\ntransfer-encoding:", re.I)
LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,12})[ \t]*\r\n", re.I)

Arrived = Literal["whole", "in part", ""]


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

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.reading: set[TConn] = set()  # whose bodies threads read as they come
        self.queued: deque[TConn] = deque()  # who wait to be among them

    def enqueue_req(self, conn: TConn) -> None:
        """Give a connection that has something to say to a thread, as soon as the request is there."""
        conn.init()
        if arrived := self._arrived(conn):
            self._start(conn, arrived)
        else:
            conn.timeout = time.monotonic() + ARRIVAL_SECONDS
            self.pending_conns.append(conn)
            self.poller.register(conn.sock, selectors.EVENT_READ, partial(self._more, conn))

    def _more(self, conn: TConn, _socket: Any) -> None:
        if arrived := self._arrived(conn):
            self.poller.unregister(conn.sock)
            self.pending_conns.remove(conn)
            self._start(conn, arrived)

    def _start(self, conn: TConn, arrived: Arrived) -> None:
        if arrived == "in part":
            if len(self.reading) >= max(1, self.cfg.threads // 2):
                conn.timeout = time.monotonic() + TURN_SECONDS
                self.queued.append(conn)
                return
            self.reading.add(conn)
        conn.parser.unreader.sock = Paced(conn.sock)
        super().enqueue_req(conn)

    def finish_request(self, conn: TConn, fs: Any) -> None:
        """Whose body was read as it came gives way to the next such one."""
        if conn in self.reading:
            self.reading.remove(conn)
            if self.queued:
                self._start(self.queued.popleft(), "in part")
        super().finish_request(conn, fs)

    def murder_pending(self) -> None:
        """Close who waited too long, for their own request or for a turn."""
        super().murder_pending()
        while self.queued and self.queued[0].timeout <= time.monotonic():
            self.nr_conns -= 1
            self.queued.popleft().close()

    def _arrived(self, conn: TConn) -> Arrived:
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
        return "whole" if ended else _arrived(held)


def _arrived(held: bytes) -> Arrived:
    """Whether ``held`` is a head with its body; of a large one, or one of no stated length, its beginning is enough."""
    head, found, body = held.partition(b"\r\n\r\n")
    if not found:
        return "whole" if len(held) >= LARGEST_HEAD else ""
    length = LENGTH.search(head + b"\r\n")
    if CHUNKED.search(head):
        return "whole" if body.endswith(b"0\r\n\r\n") else "in part"
    if length is None or len(body) >= int(length[1]):
        return "whole"
    asks_first = EXPECTS.search(head) is not None  # such a client sends its body when it is told to
    return "in part" if asks_first or int(length[1]) > SMALL else ""
