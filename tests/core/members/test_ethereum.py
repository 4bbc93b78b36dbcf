"""Messages of EIP-4361 are read by its ABNF, and signatures say whose they are."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.members import ethereum
from tests.core.members.wallet import Account, Wallet, encode_defunct, high_s

# The example of EIP-4361 itself.
EXAMPLE = """example.com wants you to sign in with your Ethereum account:
0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2

I accept the ExampleOrg Terms of Service: https://example.com/tos

URI: https://example.com/login
Version: 1
Chain ID: 1
Nonce: 32891756
Issued At: 2021-09-30T16:25:24Z
Resources:
- ipfs://bafybeiemxf5abjwjbikoz4mc3a3dla6ual3jsgpdr4cjr3oz3evfyavhwq/
- https://example.com/my-web2-claim.json"""


def test_the_example_of_the_standard_is_read() -> None:
    found = ethereum.parse(EXAMPLE)
    assert (found.domain, found.uri, found.chain_id) == ("example.com", "https://example.com/login", 1)
    assert found.statement == "I accept the ExampleOrg Terms of Service: https://example.com/tos"
    assert found.issued_at == datetime(2021, 9, 30, 16, 25, 24, tzinfo=UTC)
    assert found.resources[1] == "https://example.com/my-web2-claim.json" and len(found.resources) == 2


def test_every_part_is_read() -> None:
    text = EXAMPLE.replace("example.com wants", "https://example.com:8443 wants").replace(
        "24Z\n",
        "24.123+02:00\nExpiration Time: 2021-09-30T16:35:24Z\nNot Before: 2021-09-30t16:25:24z\nRequest ID: a-1\n",
    )
    found = ethereum.parse(text)
    assert (found.scheme, found.domain, found.request_id) == ("https", "example.com:8443", "a-1")
    assert found.issued_at.hour == 14 and found.expiration_time and found.not_before


def test_what_is_written_is_read_again() -> None:
    plain = replace(ethereum.parse(EXAMPLE), resources=())
    for one in (plain, replace(plain, statement=""), replace(plain, expiration_time=plain.issued_at)):
        assert ethereum.parse(str(one)) == one


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("", "\n"),  # something before
        ("claim.json", "claim.json\n"),  # a line break at the end
        ("claim.json", "claim.json\nMore: yes"),
        ("\n", "\r\n"),
        ("Version: 1", "Version: 2"),
        ("Version: 1", "version: 1"),
        ("Chain ID: 1", "Chain ID: 0x1"),
        ("Chain ID: 1", "Chain ID: -1"),
        ("Chain ID: 1", "Chain ID: ١"),
        ("Nonce: 32891756", "Nonce: 3289175"),
        ("Nonce: 32891756", "Nonce: 3289-1756"),
        ("0xC02aaA39", "0xc02aaA39"),
        ("0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2", "0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2"),
        ("Terms of Service", "Terms\nof Service"),  # a statement of two lines
        ("Terms of Service: https://example.com/tos\n", "Terms\n\nURI: https://example.com/login\nVersion: 1\n"),
        ("Terms", "Têrms"),
        ("Terms", 'Te"rms'),
        ("example.com wants", "example.com\u2028wants"),
        ("example.com wants", "exam ple.com wants"),
        ("example.com wants", "example.com/evil wants"),
        ("wants you to sign in", "wants you to Sign in"),
        ("URI: https://example.com/login", "URI: /login"),
        ("URI: https://example.com/login", "URI:  https://example.com/login"),
        ("URI: https://example.com/login", "URI: https://example.com/%zz"),
        ("2021-09-30T16:25:24Z", "2021-13-30T16:25:24Z"),
        ("2021-09-30T16:25:24Z", "2021-09-30 16:25:24Z"),
        ("2021-09-30T16:25:24Z", "2021-09-30T16:25:24"),
        ("2021-09-30T16:25:24Z", "0001-01-01T00:00:00+23:00"),
        ("- ipfs", "ipfs"),
        ("\n\nURI", "\nURI"),
        ("Issued At: 2021-09-30T16:25:24Z\n", ""),
    ],
)
def test_anything_else_is_refused(old: str, new: str) -> None:
    changed = EXAMPLE.replace(old, new) if old else new + EXAMPLE
    assert changed != EXAMPLE
    with pytest.raises(ethereum.MessageRefused) as refused:
        ethereum.parse(changed)
    assert refused.value.details["message"]


def test_a_message_without_end_is_refused() -> None:
    with pytest.raises(ethereum.MessageRefused):
        ethereum.parse(EXAMPLE + "\n- https://example.com/a" * 1000)


@settings(max_examples=30, deadline=None)
@given(st.text(max_size=300))
def test_whose_signature_it_is_agrees_with_other_peoples_library(text: str) -> None:
    text = text.encode("utf-8", "replace").decode()
    wallet = Wallet()
    signature = wallet.sign(text)
    assert ethereum.signer(text, signature) == wallet.address
    assert ethereum.signer(text, signature) == Account.recover_message(encode_defunct(text=text), signature=signature)
    other = text + "."
    assert ethereum.signer(other, signature) != wallet.address


def test_both_ways_to_write_v_are_taken() -> None:
    wallet = Wallet()
    signature = wallet.sign("hello")
    short = signature[:-2] + f"{int(signature[-2:], 16) - 27:02x}"
    assert ethereum.signer("hello", short) == ethereum.signer("hello", signature[2:].upper()) == wallet.address


def test_the_twin_with_the_higher_s_is_refused_though_it_is_as_good() -> None:
    wallet = Wallet()
    twin = high_s(wallet.sign("hello"))
    assert Account.recover_message(encode_defunct(text="hello"), signature=twin) == wallet.address
    with pytest.raises(ethereum.SignatureRefused):
        ethereum.signer("hello", twin)


@pytest.mark.parametrize(
    "signature",
    [
        "",
        "0x",
        "0x0",
        "zz" * 65,
        "0x" + "00" * 65,
        "0x" + "00" * 64,
        "0x" + "11" * 64,
        "0x" + "11" * 64 + "1d",
        "0x" + "11" * 64 + "02",
        "0x" + "ff" * 32 + "11" * 32 + "1b",
        "0x" + "١" * 130,
    ],
)
def test_what_is_no_signature_is_refused(signature: str) -> None:
    with pytest.raises(ethereum.SignatureRefused):
        ethereum.signer("hello", signature)


@pytest.mark.parametrize("signature", ["0x" + "11" * 130, "0x" + "11" * 65 + "6492" * 16])
def test_a_contracts_signature_is_refused_and_said_to_be_one(signature: str) -> None:
    with pytest.raises(ethereum.ContractWallet):
        ethereum.signer("hello", signature)
