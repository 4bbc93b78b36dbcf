"""A wallet in a real browser: linked on the profile, then the way in. The provider is a double that speaks EIP-1193."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.core.members.wallet import Wallet

from .conftest import Running

pytestmark = pytest.mark.browser
PROVIDER = """
window.ethereum = { request: async ({ method, params }) => {
  if (method === "eth_requestAccounts") return [await window.walletAddress()];
  if (method !== "personal_sign") throw Object.assign(new Error(method), { code: 4200 });
  const bytes = params[0].slice(2).match(/../g).map((two) => parseInt(two, 16));
  const signature = await window.walletSigns(new TextDecoder().decode(new Uint8Array(bytes)), params[1]);
  if (!signature) throw Object.assign(new Error("refused"), { code: 4001 });
  return signature;
} };
"""


class Holder:
    """Somebody before the browser who holds a wallet, and signs or does not."""

    def __init__(self, context: Any) -> None:
        self.wallet, self.willing, self.read = Wallet(), True, ""
        context.expose_function("walletAddress", lambda: self.wallet.address.lower())
        context.expose_function("walletSigns", self.sign)
        context.add_init_script(PROVIDER)

    def sign(self, message: str, address: str) -> str:
        assert address == self.wallet.address
        self.read = message
        return self.wallet.sign(message) if self.willing else ""


@pytest.fixture
def context(chromium: Any, guildhall: Running) -> Iterator[Any]:
    made = chromium.new_context(base_url=guildhall.url)
    yield made
    made.close()


def test_a_wallet_is_linked_and_then_signs_in(context: Any, guildhall: Running) -> None:
    holder, page = Holder(context), context.new_page()
    page.goto("/login?next=/profile/wallets")
    page.fill("#f-email", guildhall.email)
    page.fill("#f-password", guildhall.password)
    page.click("form[method=post] button.btn-primary")
    page.wait_for_url("**/profile/wallets")
    page.fill("#f-label", "Hardware wallet")
    page.click("form[data-wallet=link] button")
    page.wait_for_selector(f"code:has-text('{holder.wallet.address}')")
    assert "Link this wallet to my account." in holder.read
    context.clear_cookies()
    page.goto("/login?next=/profile")
    holder.willing = False
    page.click("form[data-wallet=sign_in] button")
    page.wait_for_selector("[data-wallet-says]:has-text('You did not sign')")
    holder.willing = True
    page.click("form[data-wallet=sign_in] button")
    page.wait_for_url(re.compile(r"\d/profile$"))
    assert holder.wallet.address in page.content()


def test_a_browser_without_a_wallet_is_offered_none(context: Any) -> None:
    page = context.new_page()
    page.goto("/login")
    assert not page.is_visible("form[data-wallet]")
