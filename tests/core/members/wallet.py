"""A wallet as a test has it: eth-account, which shares no code with the verifier, signs what it is asked to."""

from __future__ import annotations

import sys
from typing import Any

_limit = sys.getrecursionlimit()
from eth_account import Account as Account  # noqa: E402
from eth_account.messages import encode_defunct as encode_defunct  # noqa: E402

sys.setrecursionlimit(_limit)  # a library it brings allows so deep a recursion that reading JSON ends the process

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


class Wallet:
    def __init__(self) -> None:
        self.account: Any = Account.create()
        self.address: str = self.account.address

    def sign(self, message: str) -> str:
        """What ``personal_sign`` answers."""
        return "0x" + bytes(self.account.sign_message(encode_defunct(text=message)).signature).hex()


def high_s(signature: str) -> str:
    """The same signature as its twin with the higher s."""
    raw = bytes.fromhex(signature[2:])
    s = ORDER - int.from_bytes(raw[32:64], "big")
    return "0x" + (raw[:32] + s.to_bytes(32, "big") + bytes([55 - raw[64]])).hex()
