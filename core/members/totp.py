"""Time-based one-time codes (TOTP, RFC 6238): six digits, thirty seconds, HMAC-SHA-1, as every app for codes has it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from datetime import datetime
from urllib.parse import quote, urlencode

SECONDS, DIGITS, DRIFT = 30, 6, 1


def new_secret() -> str:
    """160 random bits in Base32 (RFC 4226, 4)."""
    return base64.b32encode(secrets.token_bytes(20)).decode()


def code_at(secret: str, step: int) -> str:
    """The code of a time step (RFC 4226, 5.3)."""
    digest = hmac.new(base64.b32decode(secret), step.to_bytes(8, "big"), hashlib.sha1).digest()
    offset = digest[-1] & 15
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFFFFFF
    return f"{number % 10**DIGITS:0{DIGITS}}"


def step_of(at: datetime) -> int:
    return int(at.timestamp()) // SECONDS


def matching_step(secret: str, code: str, at: datetime) -> int | None:
    """The time step that ``code`` belongs to, the present one or a neighbour of it; None when it is wrong."""
    given, found = code.encode("utf-8", "replace"), None
    for step in range(step_of(at) - DRIFT, step_of(at) + DRIFT + 1):
        if hmac.compare_digest(code_at(secret, step).encode(), given):
            found = step
    return found


def address(secret: str, issuer: str, account: str) -> str:
    """The ``otpauth://`` address that apps read from a QR code (Key URI Format)."""
    label = f"{quote(issuer, safe='')}:{quote(account, safe='')}"
    query = urlencode({"secret": secret, "issuer": issuer, "digits": DIGITS, "period": SECONDS}, quote_via=quote)
    return f"otpauth://totp/{label}?{query}"
