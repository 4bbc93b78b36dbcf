"""One request to a webhook: no redirect, no proxy, an answer of bounded size within a bounded time."""

from __future__ import annotations

import ssl
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import urllib3

from core.clock import now
from core.webhooks.address import Target

CONNECT, READ, WHOLE = 5.0, 10.0, 15.0  # seconds
MOST_ANSWER = 4096  # bytes that are read of an answer
AGENT = "Guildhall-Webhooks/1"


@dataclass(frozen=True)
class Answer:
    """What came back: ``status``, the beginning of the body, and how many seconds it asks us to wait, if it does."""

    status: int
    text: str
    wait: float | None


def post(target: Target, ip: str, body: bytes, headers: dict[str, str]) -> Answer:
    """POST ``body`` to ``target`` at ``ip``; TLS is checked against the name. Raises urllib3's HTTPError."""
    timeout = urllib3.Timeout(connect=CONNECT, read=READ)
    pool: urllib3.HTTPConnectionPool
    if target.scheme == "https":
        pool = urllib3.HTTPSConnectionPool(
            ip,
            target.port,
            timeout=timeout,
            retries=False,
            ssl_context=ssl.create_default_context(),
            server_hostname=target.host,
            assert_hostname=target.host,
        )
    else:
        pool = urllib3.HTTPConnectionPool(ip, target.port, timeout=timeout, retries=False)
    host = f"[{target.host}]" if ":" in target.host else target.host
    usual = {"https": 443, "http": 80}[target.scheme]
    named_at = host if target.port == usual else f"{host}:{target.port}"
    sent = {"Host": named_at, "Content-Type": "application/json", "User-Agent": AGENT, **headers}
    until = time.monotonic() + WHOLE
    with pool:
        answer = pool.urlopen(
            "POST", target.path, body=body, headers=sent, redirect=False, preload_content=False, decode_content=False
        )
        try:
            text = b""
            while len(text) < MOST_ANSWER and time.monotonic() < until and (more := answer.read(512)):
                text += more
        finally:
            answer.close()
    return Answer(answer.status, text.decode("utf-8", "replace").replace("\x00", ""), _wait(answer))


def _wait(answer: urllib3.BaseHTTPResponse) -> float | None:
    """Seconds of Retry-After, as a number or as a date (RFC 9110, 10.2.3); None where none can be read."""
    given = answer.headers.get("Retry-After", "")
    if given.isascii() and given.isdigit():
        return float(given[:9])
    try:
        at: datetime = parsedate_to_datetime(given)
    except (TypeError, ValueError):
        return None
    return max(0.0, ((at if at.tzinfo else at.replace(tzinfo=UTC)) - now()).total_seconds())
