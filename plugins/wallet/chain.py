"""The tamper-evident chain: each entry's digest covers the one before it on the same account.

Version 1: SHA-256 of the previous digest (empty for the first entry) followed by ``v1|`` and every field as
``<bytes>:<text>|``, a null as ``-|``. ``wallet_digest`` in the database is the same formula.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from uuid import UUID


def digest(
    previous: bytes,
    *,
    account_id: UUID,
    version: int,
    transfer_id: UUID,
    amount: int,
    balance_after: int,
    recorded_at: datetime,
    kind: str,
    reason: str,
    reference: str | None,
) -> bytes:
    """The digest of an entry and of what its transfer says."""
    at = recorded_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    fields = (account_id, version, transfer_id, amount, balance_after, at, kind, reason, reference)
    return hashlib.sha256(previous + b"v1|" + b"".join(_part(field) for field in fields)).digest()


def _part(field: object) -> bytes:
    if field is None:
        return b"-|"
    text = str(field).encode()
    return b"%d:%s|" % (len(text), text)
