"""Wallets in the browser, without its JavaScript: what the forms do that it fills in."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from core.clock import frozen, now
from core.platform import Platform
from tests.core.doors import Person
from tests.core.members.test_wallets import asked, forgiven, holder, registration, signed
from tests.core.members.wallet import Wallet

__all__ = ["forgiven", "holder", "registration"]


def form(person: Person, wallet: Wallet, purpose: str, **more: Any) -> dict[str, Any]:
    """What the page sends: a browser writes line breaks as CR LF."""
    path = "auth/wallet" if purpose in ("sign_in", "register") else "me/wallets"
    headers = {"X-CSRFToken": person.csrf}
    body = {"address": wallet.address, "purpose": purpose}
    message = person.post(f"/api/v1/core/{path}/challenge", body, headers=headers).json["data"]["message"]
    return {"message": message.replace("\n", "\r\n"), "signature": wallet.sign(message), **more}


def test_a_wallet_signs_in_at_the_page(people: Callable[..., Person], holder: tuple[Person, Wallet]) -> None:
    _person, wallet = holder
    browser = people()
    assert "data-wallet=" in browser.get("/login").text
    answer = browser.send("/login/wallet", **form(browser, wallet, "sign_in"), next="/profile")
    assert answer.location == "/profile"
    assert wallet.address in browser.get("/profile").text


def test_what_is_refused_is_told_on_the_page(people: Callable[..., Person]) -> None:
    browser = people()
    answer = browser.send("/login/wallet", **form(browser, Wallet(), "sign_in"))
    assert answer.status_code == 422 and "No account has this wallet" in answer.text
    assert browser.send("/login/wallet", message="m", signature="0x").status_code == 422
    assert browser.send("/register/wallet", message="m", signature="0x").status_code == 404


def test_the_browser_that_a_wallet_used_is_not_slowed_down_by_strangers(
    people: Callable[..., Person], holder: tuple[Person, Wallet]
) -> None:
    person, wallet = holder
    browser = people()
    browser.send("/login/wallet", **form(browser, wallet, "sign_in"))
    browser._csrf, browser.member = "", person.member
    browser.send("/logout")
    for _number in range(6):
        body = {**signed(Wallet(), asked(people(), wallet)), "message": asked(people(), wallet)}
        people().post("/api/v1/core/auth/wallet/login", body)
    stranger = people()
    assert stranger.send("/login/wallet", **form(stranger, wallet, "sign_in")).status_code == 429
    browser._csrf, browser.member = "", None
    assert browser.send("/login/wallet", **form(browser, wallet, "sign_in")).status_code == 303


def test_a_wallet_registers_at_the_page(people: Callable[..., Person], registration: None) -> None:
    browser, wallet = people(), Wallet()
    wrong = browser.send("/register/wallet", **form(browser, wallet, "register"), display_name="")
    assert wrong.status_code == 422 and "1 to 120 characters" in wrong.text
    sent = form(browser, wallet, "register", display_name="Zoë")
    assert browser.send("/register/wallet", **sent).location == "/profile"
    assert "Zoë" in browser.get("/profile").text
    other = people()
    again = other.send("/register/wallet", **form(other, wallet, "register", display_name="Zoë"))
    assert again.status_code == 409 and "linked with an account already" in again.text


def test_wallets_are_linked_chosen_and_unlinked_on_a_page(people: Callable[..., Person]) -> None:
    person, first, second = people("User", browser=True), Wallet(), Wallet()
    assert "No wallet is linked yet" in person.get("/profile/wallets").text
    for wallet in (first, second):
        answer = person.send("/profile/wallets", **form(person, wallet, "link", label="Mine"))
        assert answer.location == "/profile/wallets"
    refused = person.send("/profile/wallets", **form(person, first, "link"))
    assert refused.status_code == 409 and "linked with an account already" in refused.text
    strange = person.send("/profile/wallets", message="m", signature="0x")
    assert strange.status_code == 422 and "EIP-4361" in strange.text
    page = person.get("/profile/wallets").text
    keys = [part.split("/unlink")[0] for part in page.split("/profile/wallets/")[1:] if "/unlink" in part[:50]]
    assert len(keys) == 2
    assert person.send(f"/profile/wallets/{keys[1]}/primary").status_code == 303
    assert person.send(f"/profile/wallets/{keys[0]}/unlink").status_code == 303
    last = person.send(f"/profile/wallets/{keys[1]}/unlink")
    assert last.status_code == 409 and "could not sign in any more" in last.text


def test_a_wallet_confirms_who_one_is(site: Platform, people: Callable[..., Person]) -> None:
    person, wallet = people("User", browser=True), Wallet()
    person.send("/profile/wallets", **form(person, wallet, "link"))
    with frozen(now() + timedelta(minutes=11)):
        assert person.get("/profile/wallets").location == "/confirm?next=/profile/wallets"
        assert "data-wallet=" in person.get("/confirm").text
        other = Wallet()
        wrong = person.send("/confirm/wallet", **form(person, other, "step_up"))
        assert wrong.status_code == 422 and "No account has this wallet" in wrong.text
        answer = person.send("/confirm/wallet", **form(person, wallet, "step_up"), next="/profile/wallets")
        assert answer.location == "/profile/wallets"
        assert person.get("/profile/wallets").status_code == 200
