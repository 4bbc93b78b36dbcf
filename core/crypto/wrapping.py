"""Wrapping keys: what data keys are kept under. Local ones come from the environment, others stay in a key service.

``GUILDHALL_ENCRYPTION_KEYS`` lists them, the current one first; those after it only open what they wrapped. A further
key service is a class with the three members of ``WrappingKey`` and a line in ``from_setting``.
"""

from __future__ import annotations

import base64
import os
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from core.crypto.errors import KeyMissing, KeyWrong

NONCE = 12
AWS = "aws-kms"


class WrappingKey(Protocol):
    """Wraps the 32 bytes of a data key; the context is bound to the result and must be given again to open it."""

    id: str

    def wrap(self, key: bytes, context: str) -> bytes: ...

    def unwrap(self, wrapped: bytes, context: str) -> bytes: ...


class LocalKey:
    """A key of 32 bytes that this process holds."""

    def __init__(self, id: str, key: bytes) -> None:
        self.id = id
        self._key = AESGCM(key)

    def wrap(self, key: bytes, context: str) -> bytes:
        nonce = os.urandom(NONCE)
        return nonce + self._key.encrypt(nonce, key, self._about(context))

    def unwrap(self, wrapped: bytes, context: str) -> bytes:
        try:
            return self._key.decrypt(wrapped[:NONCE], wrapped[NONCE:], self._about(context))
        except (InvalidTag, ValueError):
            raise KeyWrong(key=self.id) from None

    def _about(self, context: str) -> bytes:
        return f"guildhall data key\0{context}".encode()


class WrappingKeys:
    """The keys of one installation, the current one first. Empty ones refuse with a sentence when they are needed."""

    def __init__(self, keys: list[WrappingKey]) -> None:
        self._keys = {key.id: key for key in keys}
        self._first = keys[0] if keys else None

    @classmethod
    def from_setting(cls, setting: str) -> WrappingKeys:
        """Read ``id:base64,id2:base64``; ``aws-kms:<key id or ARN>`` names a key of AWS KMS."""
        keys: list[WrappingKey] = []
        for entry in filter(None, map(str.strip, setting.split(","))):
            name, _colon, rest = entry.partition(":")
            if name == AWS:
                from core.crypto.aws import KmsKey

                keys.append(KmsKey(rest))
            else:
                keys.append(LocalKey(name, base64.b64decode(rest, validate=True)))
        return cls(keys)

    @property
    def ids(self) -> list[str]:
        return list(self._keys)

    @property
    def current(self) -> WrappingKey:
        """The key that wraps new data keys. Raises KeyMissing when none was given."""
        if self._first is None:
            raise KeyMissing(key="(none was given)")
        return self._first

    def named(self, id: str) -> WrappingKey:
        """Raises KeyMissing."""
        if id not in self._keys:
            raise KeyMissing(key=id)
        return self._keys[id]
