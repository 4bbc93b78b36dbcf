"""One-time codes as the standard has them."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest

from core.members import totp

SECRET = base64.b32encode(b"12345678901234567890").decode()


@pytest.mark.parametrize(
    ("seconds", "code"),
    [(59, "287082"), (1111111109, "081804"), (1234567890, "005924"), (2000000000, "279037"), (20000000000, "353130")],
)
def test_the_examples_of_rfc_6238(seconds: int, code: str) -> None:
    at = datetime.fromtimestamp(seconds, UTC)
    assert totp.code_at(SECRET, totp.step_of(at)) == code
    assert totp.matching_step(SECRET, code, at) == totp.step_of(at)


@pytest.mark.parametrize(("drift", "good"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_a_clock_may_be_off_by_one_step(drift: int, good: bool) -> None:
    at = datetime.fromtimestamp(1111111109, UTC)
    code = totp.code_at(SECRET, totp.step_of(at) + drift)
    assert (totp.matching_step(SECRET, code, at) is not None) is good


@pytest.mark.parametrize("code", ["", "28708", "2870822", "٢٨٧٠٨٢", "\ud800", "x" * 10_000])
def test_what_is_no_code_is_just_wrong(code: str) -> None:
    assert totp.matching_step(SECRET, code, datetime.fromtimestamp(59, UTC)) is None


def test_the_address_is_what_apps_read() -> None:
    found = totp.address("ABC", "Guild hall", "a b@example.org")
    assert found == "otpauth://totp/Guild%20hall:a%20b%40example.org?secret=ABC&issuer=Guild%20hall&digits=6&period=30"
