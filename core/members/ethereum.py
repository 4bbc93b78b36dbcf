"""Sign-In with Ethereum (EIP-4361): the message a wallet is asked to sign, and whose signature it is.

The message is parsed by the standard's ABNF, with nothing before, between or after. What it says is judged by the
caller. Signatures are those of keys (EIP-191, 65 bytes); a contract's (EIP-1271) would take a question to its network.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from core.addresses import EVM, InvalidAddress, keccak, with_checksum
from core.clock import rfc3339
from core.errors import Forbidden
from core.i18n import _

LONGEST = 4000
HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0  # of secp256k1
MAGIC_6492 = "6492" * 16

_TIME = r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:[Zz]|[+-]\d{2}:\d{2})"
_CHARS = r"A-Za-z0-9\-._~!$&'()*+,;="  # unreserved and sub-delims of RFC 3986
_URI = rf"[A-Za-z][A-Za-z0-9+.\-]*:(?:[{_CHARS}:@/?#\[\]]|%[0-9A-Fa-f]{{2}})*"
_MESSAGE = re.compile(
    rf"(?:(?P<scheme>[A-Za-z][A-Za-z0-9+.\-]*)://)?(?P<domain>(?:[{_CHARS}:@\[\]]|%[0-9A-Fa-f]{{2}})+)"
    r" wants you to sign in with your Ethereum account:\n"
    r"(?P<address>0x[0-9A-Fa-f]{40})\n\n"
    rf"(?:(?P<statement>[{_CHARS}:/?#\[\]@ ]+)\n)?\n"
    rf"URI: (?P<uri>{_URI})\n"
    r"Version: 1\n"
    r"Chain ID: (?P<chain_id>[0-9]{1,20})\n"
    r"Nonce: (?P<nonce>[A-Za-z0-9]{8,200})\n"
    rf"Issued At: (?P<issued_at>{_TIME})"
    rf"(?:\nExpiration Time: (?P<expiration_time>{_TIME}))?"
    rf"(?:\nNot Before: (?P<not_before>{_TIME}))?"
    rf"(?:\nRequest ID: (?P<request_id>(?:[{_CHARS}:@]|%[0-9A-Fa-f]{{2}})*))?"
    rf"(?:\nResources:(?P<resources>(?:\n- {_URI})*))?",
    re.ASCII,
)


class MessageRefused(Forbidden):
    """``details["message"]`` says what is wrong with it."""

    code = "MESSAGE_REFUSED"
    status = 401
    keeps = True
    sentence = _("This message cannot be used to sign in. Ask for a new one and sign it unchanged.")


class SignatureRefused(Forbidden):
    code = "SIGNATURE_REFUSED"
    status = 401
    keeps = True
    sentence = _("The signature does not fit the message and the wallet. Sign again with the same wallet.")


class ContractWallet(Forbidden):
    code = "CONTRACT_WALLET"
    status = 401
    keeps = True
    sentence = _(
        "This is the signature of a contract wallet (EIP-1271), which cannot be checked here. "
        "Use a wallet that holds its own key."
    )


@dataclass(frozen=True, kw_only=True)
class Message:
    """What an EIP-4361 message says. ``address`` has its checksum, times are in UTC."""

    domain: str
    address: str
    uri: str
    chain_id: int
    nonce: str
    issued_at: datetime
    statement: str = ""
    expiration_time: datetime | None = None
    not_before: datetime | None = None
    request_id: str | None = None
    resources: tuple[str, ...] = ()
    scheme: str = ""

    def __str__(self) -> str:
        """The text to sign, without the parts that Guildhall never asks for."""
        lines = [
            f"{self.domain} wants you to sign in with your Ethereum account:",
            self.address,
            "",
            *([self.statement] if self.statement else []),
            "",
            f"URI: {self.uri}",
            "Version: 1",
            f"Chain ID: {self.chain_id}",
            f"Nonce: {self.nonce}",
            f"Issued At: {rfc3339(self.issued_at)}",
        ]
        if self.expiration_time:
            lines.append(f"Expiration Time: {rfc3339(self.expiration_time)}")
        return "\n".join(lines)


def refused(reason: str) -> MessageRefused:
    return MessageRefused({"message": [reason]})


def parse(text: str) -> Message:
    """Read a message by the ABNF of EIP-4361. Raises MessageRefused."""
    found = _MESSAGE.fullmatch(text) if len(text) <= LONGEST else None
    if found is None:
        raise refused(_("It is not written as EIP-4361 says."))
    given = found.groupdict()
    try:
        if EVM.check(given["address"]) != given["address"]:
            raise refused(_("Write the address with its capital and small letters, as EIP-55 says."))
        moments = {key: _moment(given[key]) for key in ("expiration_time", "not_before")}
        issued_at = _moment(given["issued_at"])
    except InvalidAddress as problem:
        raise refused(problem.reason) from None
    except (ValueError, OverflowError):
        raise refused(_("It holds a date that does not exist.")) from None
    assert issued_at is not None
    return Message(
        domain=given["domain"],
        address=given["address"],
        uri=given["uri"],
        chain_id=int(given["chain_id"]),
        nonce=given["nonce"],
        statement=given["statement"] or "",
        issued_at=issued_at,
        request_id=given["request_id"],
        resources=tuple(line.removeprefix("- ") for line in (given["resources"] or "").split("\n")[1:]),
        scheme=given["scheme"] or "",
        **moments,
    )


def signer(text: str, signature: str) -> str:
    """The address whose key signed ``text`` by EIP-191 (``personal_sign``). Raises SignatureRefused, ContractWallet.

    ``signature`` is hexadecimal r, s and v of 65 bytes; v is 0, 1, 27 or 28, and s is the lower of its two values,
    so that nobody can write the same signature in another way.
    """
    digits = signature.removeprefix("0x")
    if not re.fullmatch(r"(?:[0-9A-Fa-f]{2})+", digits, re.ASCII):
        raise SignatureRefused()
    if len(digits) > 130 or digits.endswith(MAGIC_6492):
        raise ContractWallet()
    raw = bytes.fromhex(digits)
    if len(raw) != 65 or raw[64] not in (0, 1, 27, 28) or int.from_bytes(raw[32:64], "big") > HALF_ORDER:
        raise SignatureRefused()
    import coincurve  # with Keccak, at the first wallet

    message = text.encode()
    digest = keccak(b"\x19Ethereum Signed Message:\n" + str(len(message)).encode() + message)
    try:
        key = coincurve.PublicKey.from_signature_and_message(raw[:64] + bytes([raw[64] % 27]), digest, hasher=None)
    except Exception:  # libsecp256k1 says no by a plain Exception: r or s is zero or too large, or no point fits
        raise SignatureRefused() from None
    return with_checksum(keccak(key.format(compressed=False)[1:])[12:])


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text.upper()).astimezone(UTC) if text else None
