"""Checkpoints: a signed note of how far the chain was, to be kept outside the database.

The chain alone does not tell when its newest links were cut off, rows and all; a checkpoint does.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.audit.models import Seal
from core.audit.seal import GENESIS
from core.clock import now, rfc3339
from core.errors import Invalid
from core.i18n import _

FIELDS = {"version": int, "seq": int, "chain": str, "count": int, "at": str}
VERSION = 1


class CheckpointUnusable(Invalid):
    code = "CHECKPOINT_UNUSABLE"
    sentence = _("This is no checkpoint of this installation, or it was changed: {reason}.")


def make(session: Session, secret_key: str) -> str:
    """A checkpoint of the chain as it is now, as JSON."""
    last = session.execute(select(Seal.seq, Seal.chain).order_by(Seal.seq.desc()).limit(1)).first()
    seq, chain = (last.seq, last.chain) if last else (0, GENESIS)
    count = session.scalar(select(func.count()).select_from(Seal)) or 0
    body = {"version": VERSION, "seq": seq, "chain": chain.hex(), "count": count, "at": rfc3339(now())}
    return json.dumps({**body, "signature": _signature(secret_key, body)}, indent=1) + "\n"


def check(session: Session, secret_key: str, checkpoint: str) -> tuple[str, ...]:
    """What has gone since the checkpoint was made, as sentences. Raises CheckpointUnusable.

    It was signed with the secret key of that time; keep that key's checkpoints apart when you change it.
    """
    noted = _read(secret_key, checkpoint)
    seq, when = noted["seq"], noted["at"]
    problems = []
    newest = session.scalar(select(func.max(Seal.seq))) or 0
    if newest < seq:
        problems.append(f"the newest {seq - newest} links of the chain at {when} were removed: it ends at {newest}")
    elif seq and session.scalar(select(Seal.chain).where(Seal.seq == seq)) != bytes.fromhex(noted["chain"]):
        problems.append(f"link {seq} is not the one that was there at {when}: the chain was written anew")
    count = session.scalar(select(func.count()).select_from(Seal).where(Seal.seq <= seq)) or 0
    if count != noted["count"] and newest >= seq:
        problems.append(f"of the {noted['count']} links at {when} there are {count}")
    return tuple(problems)


def _read(secret_key: str, checkpoint: str) -> dict[str, Any]:
    try:
        found = json.loads(checkpoint)
        body = {name: found[name] for name in FIELDS}
        given = str(found["signature"])
    except (ValueError, KeyError, TypeError, RecursionError):
        raise CheckpointUnusable(reason=_("it is not of that form")) from None
    if any(type(body[name]) is not kind for name, kind in FIELDS.items()) or body["version"] != VERSION:
        raise CheckpointUnusable(reason=_("it is not of that form"))
    if not hmac.compare_digest(given.encode(), _signature(secret_key, body).encode()):
        raise CheckpointUnusable(reason=_("its signature does not fit"))
    return body


def _signature(secret_key: str, body: dict[str, Any]) -> str:
    key = hashlib.sha256(b"guildhall audit checkpoint\0" + secret_key.encode()).digest()
    return hmac.digest(key, json.dumps(body, sort_keys=True).encode(), "sha256").hex()
