"""Slow down who guesses: after a few failures each further one makes the next attempt wait longer.

Failures are counted by account and by address, and forgotten one by one. The account is counted by what was typed,
so that an address nobody has is slowed down just the same and the answer tells nothing. A browser from which the
right person has signed in before is counted by itself: strangers who guess never keep that person out.
"""

from __future__ import annotations

import hashlib
import hmac
import math
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Integer, cast, delete, extract, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from core.clock import now
from core.db import locks
from core.errors import Limit
from core.i18n import _
from core.members.email import folded
from core.members.models import FailedAttempt
from core.members.signals import network_of

FREE = {"account": 5, "device": 5, "address": 50}
FIRST_WAIT = timedelta(seconds=15)
LONGEST_WAIT = timedelta(minutes=15)
FORGET_ONE_EVERY = timedelta(minutes=10)
STALE = timedelta(days=1)


class TooManyAttempts(Limit):
    """Said before the password is looked at, whether or not the account exists."""

    code = "TOO_MANY_ATTEMPTS"
    sentence = _("There were too many failed attempts. Try again in {retry_after} seconds.")


@dataclass(frozen=True)
class Attempt:
    """One attempt that was let through; say how it went."""

    session: Session
    keys: tuple[bytes, ...]

    def failed(self) -> None:
        """Count a failure. The caller must raise an error that ``keeps``."""
        at = now()
        for key in sorted(self.keys):  # attempts on other accounts count for the same address meanwhile
            statement = insert(FailedAttempt).values(key=key, failures=1, last_at=at)
            since = extract("epoch", statement.excluded.last_at - FailedAttempt.last_at)
            forgotten = func.greatest(0, func.floor(since / FORGET_ONE_EVERY.total_seconds()))
            left = func.greatest(0, FailedAttempt.failures - cast(forgotten, Integer))
            counted = {"failures": left + 1, "last_at": at}
            self.session.execute(statement.on_conflict_do_update(index_elements=["key"], set_=counted))
        old = select(FailedAttempt.key).where(FailedAttempt.last_at < at - STALE).limit(20)
        stale = old.with_for_update(skip_locked=True)
        self.session.execute(delete(FailedAttempt).where(FailedAttempt.key.in_(stale)))

    def succeeded(self) -> None:
        """Forget the account's failures; those of the address stay, or one good account would excuse guessing."""
        self.session.execute(delete(FailedAttempt).where(FailedAttempt.key == self.keys[0]))


def attempt(session: Session, account: str, *, ip: str | None = None, device: str | None = None) -> Attempt:
    """Let an attempt on ``account`` through, or raise TooManyAttempts. Attempts on one account take turns.

    ``account`` is what was typed, or a member's id. ``device`` is a browser that is known to be that person's.
    """
    name = folded(account)
    own = _key(session, "device", f"{device}:{name}") if device else _key(session, "account", name)
    named = {own: "device" if device else "account"}
    if ip and not device:
        named[_key(session, "address", network_of(ip) or "unknown")] = "address"
    locks.advisory(session, f"core.members.attempt:{own.hex()}")
    at = now()
    rows = session.execute(select(FailedAttempt).where(FailedAttempt.key.in_(named))).scalars()
    counted = [(row.last_at, _wait(named[row.key], row.failures)) for row in rows]
    waits = [last + wait - at for last, wait in counted if wait]
    if (left := max(waits, default=timedelta())) > timedelta():
        raise TooManyAttempts(retry_after=math.ceil(left.total_seconds()))
    return Attempt(session, tuple(named))


def _wait(kind: str, failures: int) -> timedelta:
    beyond = failures - FREE[kind]
    return timedelta() if beyond < 0 else min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(beyond, 10))


def _key(session: Session, kind: str, name: str) -> bytes:
    secret: str = session.info["config"].secret_key
    return hmac.new(secret.encode(), f"attempt:{kind}:{name}".encode("utf-8", "replace"), hashlib.sha256).digest()
