"""The wire format of Standard Webhooks 1.0: what is sent, and how it is signed.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Iterable
from datetime import datetime

from core.clock import rfc3339
from core.events.event import StoredEvent

PREFIX = "whsec_"
SECRET_BYTES = 32


def new_secret() -> str:
    """A secret as receivers' libraries take it: ``whsec_`` and 32 random bytes in base64."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def body_of(event: StoredEvent) -> bytes:
    """The body, the same at every try: ``{type, timestamp, data}``, and what Guildhall adds about the event."""
    told = {
        "type": event.name,
        "timestamp": rfc3339(event.occurred_at),
        "data": event.payload.model_dump(mode="json"),
        "id": str(event.id),
        "version": event.version,
        "correlation_id": str(event.correlation_id),
    }
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()


def headers_of(event: StoredEvent, body: bytes, at: datetime, keys: Iterable[str]) -> dict[str, str]:
    """The three headers, with a signature by each of ``keys``, so that a receiver may know either during a rotation."""
    message_id, sent = f"msg_{event.id.hex}", str(int(at.timestamp()))
    signed = f"{message_id}.{sent}.".encode() + body
    signatures = (hmac.new(base64.b64decode(key.removeprefix(PREFIX)), signed, hashlib.sha256).digest() for key in keys)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": sent,
        "webhook-signature": " ".join(f"v1,{base64.b64encode(one).decode()}" for one in signatures),
    }
