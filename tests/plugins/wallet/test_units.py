"""Amounts as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugins.wallet import errors
from plugins.wallet.units import decimal, units


@pytest.mark.parametrize(
    ("amount", "scale", "text"),
    [
        (1250, 2, "12.50"),
        (5, 2, "0.05"),
        (-5, 2, "-0.05"),
        (0, 0, "0"),
        (1234567, 0, "1,234,567"),
        (1, 18, "0." + "0" * 17 + "1"),
    ],
)
def test_an_amount_is_shown_with_its_decimals(amount, scale, text):
    assert decimal(amount, scale) == text


@given(amount=st.integers(0, 10**36), scale=st.integers(0, 18))
def test_what_is_shown_can_be_read_again(amount, scale):
    assert units(decimal(amount, scale).replace(",", ""), scale) == amount


@pytest.mark.parametrize("text", ["", "-1", "1.234", "1e3", "1,5", ".5", "1.", "١", "nan", "9" * 39])
def test_what_is_no_amount_is_refused(text):
    with pytest.raises(errors.AmountUnreadable, match="at most 2 decimals"):
        units(text, 2)
