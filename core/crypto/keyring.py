"""The keyring of one process: opens data keys, seals and unseals values.

A sealed value is: version (1 byte), id of its data key (16), nonce (12), ciphertext and tag of AES-256-GCM. Bound to
it are its context and, where the caller gives one, the record it belongs to: moved elsewhere, it does not open. The
version tells what binds it: 1, what the caller gave; 2, the row of its sealed column.
"""

from __future__ import annotations

import os
import threading
import time
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Connection, Engine, create_engine, pool, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from core.clock import now
from core.crypto.errors import SealBroken
from core.crypto.models import DataKey
from core.crypto.wrapping import NONCE, WrappingKeys
from core.ids import new_id

OF_CALLER, OF_ROW = b"\x01", b"\x02"
HEAD = 1 + 16
FRESH_SECONDS = 30.0
_ON_DIALECT = "guildhall_keyring"


class Keyring:
    """Data keys are read and made over a connection of its own, in a transaction of its own: none is used that a
    rollback could take back, and none is asked for twice.

    Which data key is current is looked up again after FRESH_SECONDS, so that a rotation reaches every process.
    """

    def __init__(self, keys: WrappingKeys, url: str) -> None:
        self.keys = keys
        self._engine = create_engine(url, poolclass=pool.NullPool, hide_parameters=True)
        self._lock = threading.RLock()
        self._opened: dict[UUID, tuple[str, AESGCM]] = {}
        self._current: dict[str, tuple[UUID, float]] = {}

    def serve(self, engine: Engine) -> None:
        """Let ``Sealed`` columns find this keyring: on the dialect of the engine that runs their statements."""
        setattr(engine.dialect, _ON_DIALECT, self)

    def seal(self, context: str, plaintext: bytes, about: str = "", version: bytes = OF_CALLER) -> bytes:
        """``plaintext`` sealed under the current data key of ``context``, made at first use. Raises KeyMissing."""
        key_id = self.current(context)
        nonce = os.urandom(NONCE)
        head = version + key_id.bytes
        return head + nonce + self._opened[key_id][1].encrypt(nonce, plaintext, _bound(head, context, about))

    def unseal(self, context: str, sealed: bytes, about: str = "") -> bytes:
        """What was sealed with the same context and ``about``. Raises SealBroken, KeyMissing, KeyWrong."""
        if len(sealed) < HEAD + NONCE + 16 or sealed[:1] not in (OF_CALLER, OF_ROW):
            raise SealBroken(context=context)
        key_id, nonce = UUID(bytes=sealed[1:HEAD]), sealed[HEAD : HEAD + NONCE]
        owner, key = self._opened.get(key_id) or self._open(key_id, context)
        if owner != context:
            raise SealBroken(context=context)
        try:
            return key.decrypt(nonce, sealed[HEAD + NONCE :], _bound(sealed[:HEAD], context, about))
        except InvalidTag:
            raise SealBroken(context=context) from None

    def current(self, context: str) -> UUID:
        """The id of the data key that seals now, opened; at most FRESH_SECONDS old."""
        kept = self._current.get(context)
        if kept and time.monotonic() - kept[1] < FRESH_SECONDS:
            return kept[0]
        with self._lock:
            at = time.monotonic()
            with self._engine.begin() as connection:
                key_id = current_key(connection, self.keys, context)
            self._opened.get(key_id) or self._open(key_id, context)
            self._current[context] = (key_id, at)
            return key_id

    def forget(self) -> None:
        """Look again which data keys are current; what was opened stays so."""
        self._current.clear()

    def _open(self, key_id: UUID, context: str) -> tuple[str, AESGCM]:
        with self._lock:
            with self._engine.begin() as connection:
                query = select(DataKey.context, DataKey.wrapped, DataKey.key_id).where(DataKey.id == key_id)
                row = connection.execute(query).first()
            if row is None:
                raise SealBroken(context=context)
            key = AESGCM(self.keys.named(row.key_id).unwrap(row.wrapped, row.context))
            self._opened[key_id] = (row.context, key)
            return self._opened[key_id]


def current_key(connection: Connection, keys: WrappingKeys, context: str) -> UUID:
    """The data key of ``context`` that is not retired; made when there is none."""
    query = select(DataKey.id).where(DataKey.context == context, DataKey.retired_at.is_(None))
    found: UUID | None = connection.scalar(query)
    if found is None:
        values = new_key(keys, context)
        connection.execute(insert(DataKey).values(values).on_conflict_do_nothing())
        found = connection.scalar(query)
        assert found is not None
    return found


def new_key(keys: WrappingKeys, context: str) -> dict[str, object]:
    """The values of a new data key's row."""
    wrapped = keys.current.wrap(os.urandom(32), context)
    return {"id": new_id(), "context": context, "wrapped": wrapped, "key_id": keys.current.id, "created_at": now()}


def _bound(head: bytes, context: str, about: str) -> bytes:
    return b"\0".join((b"guildhall", head, context.encode(), about.encode()))


def of_session(session: Session) -> Keyring:
    """The keyring of the platform that opened ``session``."""
    keyring: Keyring = session.info["keyring"]
    return keyring


def seal(session: Session, context: str, plaintext: bytes, *, about: str = "") -> bytes:
    """Seal ``plaintext`` for ``context`` (``<plugin>.<what>``); ``about`` binds it to a record, such as its id."""
    return of_session(session).seal(context, plaintext, about)


def unseal(session: Session, context: str, sealed: bytes, *, about: str = "") -> bytes:
    """What ``seal`` was given. Raises SealBroken when the value, the context or ``about`` is another."""
    return of_session(session).unseal(context, sealed, about)
