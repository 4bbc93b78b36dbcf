"""Blockchain addresses are checked by the rules of their network, wherever they are given."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from eth_utils import to_checksum_address
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError
from wtforms import Form

from core import addresses
from core.addresses import EVM, TRON, AddressColumn, EvmText, InvalidAddress, TronText
from core.fab import forms
from core.rest import fields
from core.rest.resource import field_of
from core.rest.schema import Schema

# The examples of EIP-55 itself.
EIP55 = [
    "0x52908400098527886E0F7030069857D2E4169EE7",
    "0xde709f2102306220921060314715629080e2fb77",
    "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
    "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
    "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
    "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
]
USDT = "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t"


@pytest.mark.parametrize("address", EIP55)
def test_an_evm_address_is_kept_with_its_checksum(address: str) -> None:
    for given_as in (address, "0x" + address[2:].lower(), "0x" + address[2:].upper()):
        assert addresses.check("eip155:146", given_as) == address


@settings(max_examples=50, deadline=None)
@given(st.binary(min_size=20, max_size=20))
def test_the_checksum_is_that_of_other_peoples_library(raw: bytes) -> None:
    assert EVM.check("0x" + raw.hex()) == to_checksum_address(raw)


@pytest.mark.parametrize(
    "wrong",
    [
        "0x5AAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",  # one letter's case
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAee",  # one digit
        "5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "0X5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAe",
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed0",
        " 0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed\n",
        "0x" + "٣" * 40,  # digits, but not of ASCII
        "",
        USDT,
    ],
)
def test_a_wrong_evm_address_is_refused_with_what_is_wrong(wrong: str) -> None:
    with pytest.raises(InvalidAddress) as refused:
        addresses.check("eip155:1", wrong, "to")
    assert refused.value.code == "INVALID_ADDRESS" and refused.value.details["to"][0] == refused.value.reason


def test_a_tron_address_is_taken_as_it_is() -> None:
    assert addresses.check("tron:0x2b6653dc", USDT) == USDT


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ("TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6T", "checksum"),
        ("TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6", "34 letters"),
        ("TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj60", "34 letters"),
        ("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "another kind"),  # Bitcoin's first: its checksum is good
        ("z" * 34, "checksum"),
        (EIP55[0], "34 letters"),
    ],
)
def test_a_wrong_tron_address_is_refused_with_what_is_wrong(wrong: str, why: str) -> None:
    with pytest.raises(InvalidAddress) as refused:
        TRON.check(wrong)
    assert why in refused.value.reason


def test_a_network_that_is_not_known_is_named_with_those_that_are() -> None:
    with pytest.raises(addresses.ChainUnknown) as refused:
        addresses.check("eip155:999", EIP55[0])
    assert "eip155:999" in refused.value.message and "eip155:146" in refused.value.message


def test_pydantic_models_hold_addresses() -> None:
    class Payout(BaseModel):
        owner: EvmText
        to: TronText = USDT

    assert Payout(owner=EIP55[2].lower()).owner == EIP55[2]
    with pytest.raises(ValidationError) as refused:
        Payout(owner=EIP55[2][:-1] + "e", to="T")
    assert [one["type"] for one in refused.value.errors()] == ["INVALID_ADDRESS", "INVALID_ADDRESS"]
    assert "EIP-55" in str(refused.value)


def test_a_body_of_rest_holds_addresses() -> None:
    class Body(Schema):
        owner = fields.Address(required=True)
        to = fields.Address(chain="tron:0x2b6653dc")

    assert Body().load({"owner": EIP55[2].lower(), "to": USDT}) == {"owner": EIP55[2], "to": USDT}
    with pytest.raises(InvalidAddress) as refused:
        Body().load({"owner": EIP55[2], "to": EIP55[2]})
    assert set(refused.value.details) == {"to"}


@pytest.mark.parametrize(("format", "good"), [(EVM, EIP55[2]), (TRON, USDT)])
def test_a_resource_checks_its_address_columns(format: addresses.Format, good: str) -> None:
    column: Any = sa.Column("owner", AddressColumn(format), nullable=False)
    assert field_of(column, written=True).deserialize(good) == good
    with pytest.raises(InvalidAddress):
        field_of(column, written=True).deserialize(good[:-1])
    checks = {"owner": forms.StringField(validators=[forms.canonical(column.type)])}
    form: Any = type("OwnerForm", (Form,), checks)
    given_as = good.lower() if format is EVM else good
    one = form(data={"owner": given_as})
    assert one.validate() and one.owner.data == good
    assert not form(data={"owner": good[:-1]}).validate()
