"""Passwords: which may be chosen, and their Argon2id hashes."""

from __future__ import annotations

import unicodedata
from functools import cache
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from core.i18n import _

LENGTH = (10, 200)
COMMON = Path(__file__).with_name("common_passwords.txt")
hasher = PasswordHasher()  # Argon2id with the library's recommended cost


def problems(password: str, *known: str) -> dict[str, list[str]]:
    """Why a password cannot be taken, by field; empty when it can. ``known``: what anybody knows of its owner."""
    shortest, longest = LENGTH
    if not shortest <= len(password) <= longest:
        return {"password": [_("Use 10 to 200 characters.")]}
    plain = unicodedata.normalize("NFKC", password).casefold()
    if plain in _common() or len(set(plain)) < 4 or plain in {one.casefold() for one in known if one}:
        return {"password": [_("Too many people use this password, or it is easily guessed. Choose another one.")]}
    return {}


def matches(password_hash: str | None, password: str) -> bool:
    """Whether ``password`` has this hash; takes as long when there is none."""
    try:
        return hasher.verify(password_hash or _nobody(), password) and password_hash is not None
    except (VerificationError, InvalidHashError):
        return False


@cache
def _common() -> frozenset[str]:
    lines = COMMON.read_text("utf-8").splitlines()
    return frozenset(line for line in lines if line and not line.startswith("#"))


@cache
def _nobody() -> str:
    """A hash to compare with where there is no account, so that its lack takes as long."""
    return hasher.hash("nobody has this password")
