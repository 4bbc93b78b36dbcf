"""Blockchain addresses, checked by the rules of their network before anything is kept or sent.

Networks are named as in CAIP-2 (``eip155:1``, ``tron:0x2b6653dc``) and share a few formats. An address is kept in its
canonical form, so that equal ones are equal texts. In a plugin::

    owner: Mapped[EvmAddress]                       # a column; Resource checks it in REST and in forms
    owner = fields.Address(chain="eip155:146")      # a body of REST
    owner: EvmText                                  # a pydantic model: settings, events, YAML
    address = addresses.check("eip155:1", given)    # anywhere else, when the network is known only then
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import sqlalchemy as sa
from pydantic import AfterValidator
from pydantic_core import PydanticCustomError
from sqlalchemy.orm import mapped_column

from core.errors import Invalid
from core.i18n import _

BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
HEX = frozenset("0123456789abcdefABCDEF")
TRON_PREFIX = 0x41


class InvalidAddress(Invalid):
    """``details`` says by field what is wrong; the field is ``address`` where nothing else is known."""

    code = "INVALID_ADDRESS"
    sentence = _("This is not an address of that network. Copy it again, whole and unchanged.")

    @property
    def reason(self) -> str:
        """What is wrong, in English."""
        sentence: str = next(iter(self.details.values()))[0]
        return sentence


class ChainUnknown(Invalid):
    code = "CHAIN_UNKNOWN"
    sentence = _("There is no network {chain} here. Known are: {known}.")


@dataclass(frozen=True)
class Format:
    """How addresses are written. ``canonical`` returns the form that is kept, or raises InvalidAddress."""

    name: str
    length: int
    example: str
    canonical: Callable[[str], str]

    def check(self, address: str, field: str = "address") -> str:
        """``address`` as it is kept. Raises InvalidAddress with what is wrong under ``field``."""
        try:
            return self.canonical(address)
        except InvalidAddress as problem:
            raise InvalidAddress({field: [problem.reason]}) from None


@dataclass(frozen=True)
class Chain:
    """A network by its CAIP-2 name."""

    id: str
    name: str
    format: Format


def check(chain: str, address: str, field: str = "address") -> str:
    """``address`` as it is kept, by the rules of ``chain``. Raises ChainUnknown, InvalidAddress."""
    return chain_of(chain).format.check(address, field)


def chain_of(chain: str) -> Chain:
    """The network of this CAIP-2 name. Raises ChainUnknown."""
    if chain not in CHAINS:
        raise ChainUnknown(chain=chain[:60], known=", ".join(CHAINS))
    return CHAINS[chain]


def keccak(message: bytes) -> bytes:
    """Keccak-256 as Ethereum has it, which is not SHA3-256."""
    from Crypto.Hash import keccak as hashing  # 40 ms that most processes never need

    return hashing.new(digest_bits=256, data=message).digest()


def _evm(address: str) -> str:
    """EIP-55. All small and all capital letters carry no checksum, and are taken."""
    digits = address[2:]
    if not address.startswith("0x") or len(digits) != 40 or not set(digits) <= HEX:
        raise _wrong(_("An address of an EVM network is 0x and 40 hexadecimal digits."))
    mixed = with_checksum(bytes.fromhex(digits))
    if digits not in (digits.lower(), digits.upper()) and address != mixed:
        raise _wrong(_("Capital and small letters do not fit each other (EIP-55): a character is wrong."))
    return mixed


def with_checksum(raw: bytes) -> str:
    """The 20 bytes of an EVM address in the mixed case of EIP-55."""
    digits = raw.hex()
    fingerprint = keccak(digits.encode()).hex()
    return "0x" + "".join(
        one.upper() if int(nibble, 16) > 7 else one for one, nibble in zip(digits, fingerprint, strict=False)
    )


def _tron(address: str) -> str:
    """Base58check: 0x41, 20 bytes, and four bytes of a double SHA-256 over both."""
    if len(address) != 34 or not set(address) <= set(BASE58):
        raise _wrong(_("A TRON address is 34 letters and digits, beginning with T; 0, O, I and l do not occur."))
    number = 0
    for one in address:
        number = number * 58 + BASE58.index(one)
    raw = number.to_bytes(25, "big")  # 58**34 < 2**200
    body, checksum = raw[:21], raw[21:]
    if hashlib.sha256(hashlib.sha256(body).digest()).digest()[:4] != checksum:
        raise _wrong(_("The checksum does not fit: a character is wrong."))
    if body[0] != TRON_PREFIX:
        raise _wrong(_("This is not a TRON address: it is of another kind."))
    return address


def _wrong(reason: str) -> InvalidAddress:
    return InvalidAddress({"address": [reason]})


EVM = Format("evm", 42, "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", _evm)
TRON = Format("tron", 34, "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t", _tron)
CHAINS = {
    one.id: one
    for one in (
        Chain("eip155:146", "Sonic", EVM),
        Chain("eip155:1", "Ethereum", EVM),
        Chain("eip155:137", "Polygon", EVM),
        Chain("tron:0x2b6653dc", "TRON", TRON),
    )
}


class AddressColumn(sa.String):
    """The column type of an address; REST and forms of a Resource check it by its format."""

    def __init__(self, format: Format) -> None:
        super().__init__(format.length)
        self.format = format


def _text(format: Format) -> AfterValidator:
    def canonical(given: str) -> str:
        try:
            return format.check(given)
        except InvalidAddress as problem:
            raise PydanticCustomError(problem.code, "{reason}", {"reason": problem.reason}) from None

    return AfterValidator(canonical)


# Columns, as Mapped[...].
EvmAddress = Annotated[str, mapped_column(AddressColumn(EVM))]
TronAddress = Annotated[str, mapped_column(AddressColumn(TRON))]
# Texts of pydantic models.
EvmText = Annotated[str, _text(EVM)]
TronText = Annotated[str, _text(TRON)]
