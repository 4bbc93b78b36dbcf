"""The help desk's wire format: one request, in bounded time, that may be made again without a second ticket."""

from __future__ import annotations

import json
from uuid import UUID

import urllib3

from guildhall import GiveUp, TryLater

SECONDS = 10.0
MOST_ANSWER = 65_536


def post_ticket(address: str, key: UUID, suggestion_id: UUID) -> str:
    """Open a ticket, and return its number. The same ``key`` again answers with the ticket of the first time.

    Raises TryLater while the help desk does not answer or says so, GiveUp where it will never take it.
    """
    body = json.dumps({"subject": "A new suggestion", "reference": str(suggestion_id)}).encode()
    headers = {"Content-Type": "application/json", "Idempotency-Key": str(key)}
    try:
        with urllib3.PoolManager(timeout=SECONDS, retries=False) as pool:
            answer = pool.request("POST", f"{address.rstrip('/')}/tickets", body=body, headers=headers, redirect=False)
    except urllib3.exceptions.HTTPError as problem:
        raise TryLater(type(problem).__name__, 0.0) from None
    if answer.status in (429, 503) or answer.status >= 500:
        wait = answer.headers.get("Retry-After", "")
        raise TryLater(f"HTTP {answer.status}", float(wait) if wait.isdigit() else 0.0)
    if answer.status not in (200, 201):
        raise GiveUp(f"the help desk refuses it: HTTP {answer.status}")
    try:
        return str(json.loads(answer.data[:MOST_ANSWER])["number"])[:120]
    except (ValueError, KeyError, TypeError):
        raise GiveUp("the help desk answered with no number") from None
