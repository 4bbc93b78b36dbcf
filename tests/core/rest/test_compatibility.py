"""Routes with the path and the body of seed C."""

from __future__ import annotations

import pytest

from core.platform import Platform
from tests.conftest import Client
from tests.core.members.wallet import Wallet

PASSWORD = "correct horse battery"
LOGIN, USER = "/api/auth/login", "/api/auth/user"


def test_sign_in_and_who_one_is(client: Client, platform: Platform) -> None:
    member = client.sign_in("Moderator", email="ada@example.org")
    answer = client.http.post(LOGIN, json={"email": "ada@example.org", "password": PASSWORD})
    assert answer.status_code == 200
    assert set(answer.json) == {"token", "refreshToken", "tokenType", "expiresIn", "authenticated"}
    asked = client.http.get(USER, headers={"Authorization": f"Bearer {answer.json['token']}"})
    assert asked.json["user"] == {
        "id": str(member.id),
        "email": "ada@example.org",
        "walletAddress": None,
        "name": "ada",
        "role": "moderator",
        "isAdmin": False,
    }
    assert asked.json["authenticated"] is True
    assert "core:read" in asked.json["permissions"]
    assert set(asked.json) == {"user", "permissions", "authenticated"}


def test_an_admin_is_told_so(clients: object) -> None:
    admin = clients("User", "Admin")  # type: ignore[operator]
    user = admin.get(USER).json["user"]
    assert (user["role"], user["isAdmin"]) == ("admin", True)


def test_sign_in_by_wallet(client: Client) -> None:
    member, wallet = client.sign_in("User", email="ada@example.org"), Wallet()
    asked = client.post("/api/v1/core/me/wallets/challenge", {"address": wallet.address}).json["data"]
    signed = {"message": asked["message"], "signature": wallet.sign(asked["message"])}
    assert client.post("/api/v1/core/me/wallets", signed).status_code == 201
    asked = client.post("/api/v1/core/auth/wallet/challenge", {"address": wallet.address}).json["data"]
    signed = {"message": asked["message"], "signature": wallet.sign(asked["message"])}
    other = client.http.post(LOGIN, json={**signed, "walletAddress": Wallet().address})
    assert (other.status_code, other.json["error"]["code"]) == (401, "MESSAGE_REFUSED")
    answer = client.http.post(LOGIN, json={**signed, "walletAddress": wallet.address.lower()})
    assert answer.status_code == 200 and answer.json["authenticated"] is True
    user = client.http.get(USER, headers={"Authorization": f"Bearer {answer.json['token']}"}).json["user"]
    assert (user["id"], user["walletAddress"]) == (str(member.id), wallet.address)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"email": "ada@example.org", "password": "wrong"}, 401, "INVALID_CREDENTIALS"),
        ({"email": "ada@example.org"}, 422, "INVALID"),
        ({"password": "x"}, 422, "INVALID"),
        ({}, 422, "INVALID"),
        ({"walletAddress": "0x0", "signature": "0x0", "message": "hi"}, 422, "INVALID_ADDRESS"),
        ({"walletAddress": "0x" + "1" * 40, "signature": "0x0", "message": "hi"}, 401, "MESSAGE_REFUSED"),
        ({"walletAddress": "0x0"}, 422, "INVALID"),
        ({"walletAddress": "0x0", "signature": "0x0", "message": "hi", "password": "x"}, 422, "INVALID"),
        ({"e_mail": "x"}, 422, "INVALID"),
    ],
)
def test_a_refusal_is_the_envelope_of_every_route(client: Client, body: object, status: int, code: str) -> None:
    answer = client.post(LOGIN, body)
    assert (answer.status_code, answer.json["success"], answer.json["error"]["code"]) == (status, False, code)


def test_who_is_not_signed_in_is_told_so(client: Client) -> None:
    assert client.get(USER).status_code == 401
    wrong = client.get(USER, headers={"Authorization": "Bearer no"})
    assert (wrong.status_code, wrong.json["error"]["code"]) == (401, "TOKEN_INVALID")


def test_health_is_the_health_of_the_process(client: Client) -> None:
    answer = client.get("/api/health")
    assert (answer.status_code, answer.json) == (200, {"status": "ok"})
