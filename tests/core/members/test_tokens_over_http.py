"""Tokens: how they are had, used, renewed and lost."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import jwt
import pytest
from argon2 import PasswordHasher
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import text, update

from core.actor import Actor
from core.clock import frozen, now
from core.ids import new_id
from core.members import passwords, service, sessions, signing, tokens
from core.members.models import Member
from core.platform import Platform
from tests.core.doors import Person

AUTH = "/api/v1/core/auth"
ME = "/api/v1/core/me"
PASSWORD = "correct horse battery"


@pytest.fixture
def member(site: Platform) -> Member:
    """A registered member with a password."""
    actor = Actor.system("test")
    with site.unit_of_work(actor) as session:
        email = f"{new_id()}@example.org"
        return service.register(session, actor, email=email, password=PASSWORD, display_name="Ben")


def log_in(person: Person, member: Member, password: str = PASSWORD) -> Any:
    return person.post(f"{AUTH}/login", {"email": member.email, "password": password})


def status_of(person: Person, token: str) -> tuple[int, str]:
    answer = person.get(ME, headers={"Authorization": f"Bearer {token}"})
    return answer.status_code, answer.json.get("error", {}).get("code", "")


INVALID = (401, "TOKEN_INVALID")


def test_signing_in_gives_a_pair_that_opens_the_door(people: Callable[..., Person], member: Member) -> None:
    pair = log_in(people(), member).json["data"]
    assert (pair["token_type"], pair["expires_in"]) == ("Bearer", 900)
    assert status_of(people(), pair["access_token"]) == (200, "")


def test_the_address_is_taken_in_any_case_and_with_blanks(people: Callable[..., Person], member: Member) -> None:
    body = {"email": f"  {str(member.email).upper()} ", "password": PASSWORD}
    assert people().post(f"{AUTH}/login", body).status_code == 200


def test_a_wrong_password_and_an_unknown_address_are_answered_alike(
    people: Callable[..., Person], member: Member
) -> None:
    wrong = log_in(people(), member, "another password")
    unknown = people().post(f"{AUTH}/login", {"email": "nobody@example.org", "password": PASSWORD})
    assert (wrong.status_code, unknown.status_code) == (401, 401)
    assert wrong.json["error"] == unknown.json["error"]
    assert wrong.json["error"]["code"] == "INVALID_CREDENTIALS"


def test_an_unknown_address_costs_one_hash_like_a_known_one(
    people: Callable[..., Person], member: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Counting(PasswordHasher):
        verified = 0

        def verify(self, hash: str | bytes, password: str | bytes) -> Any:
            Counting.verified += 1
            return super().verify(hash, password)

    monkeypatch.setattr(passwords, "hasher", Counting())
    log_in(people(), member, "another password")
    people().post(f"{AUTH}/login", {"email": "nobody@example.org", "password": PASSWORD})
    assert Counting.verified == 2


def test_a_suspended_member_does_not_get_in_and_is_told_only_with_the_right_password(
    site: Platform, people: Callable[..., Person], member: Member
) -> None:
    pair = log_in(people(), member).json["data"]
    with site.unit_of_work() as session:
        session.execute(update(Member).where(Member.id == member.id).values(status="suspended"))
    assert log_in(people(), member).json["error"]["code"] == "MEMBER_SUSPENDED"
    assert log_in(people(), member, "another password").json["error"]["code"] == "INVALID_CREDENTIALS"
    assert status_of(people(), pair["access_token"]) == INVALID
    refreshed = people().post(f"{AUTH}/refresh", {"refresh_token": pair["refresh_token"]})
    assert (refreshed.status_code, refreshed.json["error"]["code"]) == INVALID


@pytest.mark.parametrize(
    "body",
    [{}, {"email": "a@b.c"}, {"email": 5, "password": "x"}, {"email": "a\x00@b.c", "password": "x"}, {"email": None}],
)
def test_credentials_that_cannot_be_are_refused(people: Callable[..., Person], body: Any) -> None:
    assert people().post(f"{AUTH}/login", body).status_code == 422


def test_a_refresh_gives_a_new_pair_of_the_same_session(people: Callable[..., Person], member: Member) -> None:
    first = log_in(people(), member).json["data"]
    second = people().post(f"{AUTH}/refresh", {"refresh_token": first["refresh_token"]}).json["data"]
    assert second["refresh_token"] != first["refresh_token"]
    claims = [jwt.decode(p["access_token"], options={"verify_signature": False}) for p in (first, second)]
    assert claims[0]["sid"] == claims[1]["sid"] and claims[0]["jti"] != claims[1]["jti"]
    assert status_of(people(), second["access_token"]) == (200, "")


def test_a_refresh_token_used_twice_ends_the_session_at_once(people: Callable[..., Person], member: Member) -> None:
    first = log_in(people(), member).json["data"]
    second = people().post(f"{AUTH}/refresh", {"refresh_token": first["refresh_token"]}).json["data"]
    reused = people().post(f"{AUTH}/refresh", {"refresh_token": first["refresh_token"]})
    assert (reused.status_code, reused.json["error"]["code"]) == INVALID
    assert status_of(people(), second["access_token"]) == INVALID
    again = people().post(f"{AUTH}/refresh", {"refresh_token": second["refresh_token"]})
    assert (again.status_code, again.json["error"]["code"]) == INVALID


def test_the_end_of_one_session_leaves_the_others(people: Callable[..., Person], member: Member) -> None:
    first, other = log_in(people(), member).json["data"], log_in(people(), member).json["data"]
    for _ in range(2):
        people().post(f"{AUTH}/refresh", {"refresh_token": first["refresh_token"]})
    assert status_of(people(), other["access_token"]) == (200, "")


def test_a_refresh_token_ends_with_its_session(people: Callable[..., Person], member: Member) -> None:
    pair = log_in(people(), member).json["data"]
    with frozen(now() + tokens.REFRESH_LIFETIME + timedelta(seconds=1)):
        late = people().post(f"{AUTH}/refresh", {"refresh_token": pair["refresh_token"]})
    assert (late.status_code, late.json["error"]["code"]) == INVALID


def test_a_session_that_is_refreshed_lives_on(people: Callable[..., Person], member: Member) -> None:
    pair, at = log_in(people(), member).json["data"], now()
    for days in (29, 58):
        with frozen(at + timedelta(days=days)):
            answer = people().post(f"{AUTH}/refresh", {"refresh_token": pair["refresh_token"]})
            assert answer.status_code == 200
            pair = answer.json["data"]
            assert status_of(people(), pair["access_token"]) == (200, "")


@pytest.mark.parametrize("token", ["", "nonsense", "x" * 10_000, "токен"])
def test_a_refresh_token_that_never_was(people: Callable[..., Person], token: str) -> None:
    answer = people().post(f"{AUTH}/refresh", {"refresh_token": token})
    assert (answer.status_code, answer.json["error"]["code"]) == INVALID


def test_signing_out_ends_access_and_refresh(people: Callable[..., Person], member: Member) -> None:
    pair = log_in(people(), member).json["data"]
    headers = {"Authorization": f"Bearer {pair['access_token']}"}
    assert people().post(f"{AUTH}/logout", headers=headers).status_code == 204
    assert status_of(people(), pair["access_token"]) == INVALID
    refreshed = people().post(f"{AUTH}/refresh", {"refresh_token": pair["refresh_token"]})
    assert (refreshed.status_code, refreshed.json["error"]["code"]) == INVALID


def test_an_access_token_lives_fifteen_minutes(people: Callable[..., Person]) -> None:
    user, at = people("User"), now()
    token = user.headers["Authorization"].split()[1]
    with frozen(at + timedelta(minutes=14)):
        assert status_of(people(), token) == (200, "")
    with frozen(at + timedelta(minutes=16)):
        assert status_of(people(), token) == INVALID


def test_a_token_by_a_clock_that_is_a_little_ahead_is_good(sign: Any, people: Callable[..., Person]) -> None:
    user = people("User")
    claims = jwt.decode(user.headers["Authorization"].split()[1], options={"verify_signature": False})
    ahead = sign({**claims, "iat": claims["iat"] + 30})
    assert status_of(people(), ahead) == (200, "")


Sign = Callable[[dict[str, Any]], str]


@pytest.fixture
def sign(site: Platform) -> Sign:
    """Signs any claims by the key that is in use, as a mistake of ours would."""
    with site.unit_of_work() as session:
        key = signing.current(session)
    return lambda claims: jwt.encode(claims, key.private, signing.ALGORITHM, headers={"kid": key.kid})


OTHERS = ec.generate_private_key(ec.SECP256R1())
FORGERIES: dict[str, Callable[[dict[str, Any], Sign], str]] = {
    "another key": lambda claims, sign: jwt.encode(claims, OTHERS, "ES256", headers=_header(sign)),
    "a key nobody knows": lambda claims, _: jwt.encode(claims, OTHERS, "ES256", headers={"kid": "x" * 500}),
    "a key with a NUL": lambda claims, _: jwt.encode(claims, OTHERS, "ES256", headers={"kid": "a\x00b"}),
    "a key without a name": lambda claims, _: jwt.encode(claims, OTHERS, "ES256"),
    "no algorithm": lambda claims, sign: jwt.encode(claims, None, "none", headers=_header(sign)),
    "a shared secret": lambda claims, sign: jwt.encode(claims, "y" * 40, "HS256", headers=_header(sign)),
    "changed after signing": lambda claims, sign: _swapped(claims, sign),
    "no expiry": lambda claims, sign: sign({**claims, "exp": None}),
    "without an expiry": lambda claims, sign: sign(_without(claims, "exp")),
    "expiry as text": lambda claims, sign: sign({**claims, "exp": "never"}),
    "without a session": lambda claims, sign: sign(_without(claims, "sid")),
    "session as number": lambda claims, sign: sign({**claims, "sid": 5}),
    "unknown session": lambda claims, sign: sign({**claims, "sid": str(new_id())}),
    "empty": lambda claims, _: "",
    "nonsense": lambda claims, _: "a.b.c",
    "endless": lambda claims, _: "a" * 100_000,
}


def _header(sign: Sign) -> dict[str, Any]:
    return {"kid": jwt.get_unverified_header(sign({}))["kid"]}


def _without(claims: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in claims.items() if key != name}


def _swapped(claims: dict[str, Any], sign: Sign) -> str:
    signed, other = sign(claims), sign({**claims, "role": ["Admin"]})
    return ".".join([*other.split(".")[:2], signed.split(".")[2]])


@pytest.mark.parametrize("kind", FORGERIES)
def test_a_forged_token_is_refused(sign: Sign, people: Callable[..., Person], kind: str) -> None:
    user = people("User")
    claims = jwt.decode(user.headers["Authorization"].split()[1], options={"verify_signature": False})
    assert status_of(people(), FORGERIES[kind](claims, sign)) == INVALID


@pytest.mark.parametrize("path", ["/api/v1/openapi.json", "/api/v1/badges/badges", "/api/v1/library/prices", "/login"])
def test_an_invalid_token_is_refused_on_public_routes_too(people: Callable[..., Person], path: str) -> None:
    answer = people().get(path, headers={"Authorization": "Bearer nonsense", "Accept": "application/json"})
    assert (answer.status_code, answer.json["error"]["code"]) == INVALID


def test_roles_in_the_token_grant_nothing_by_themselves(sign: Sign, people: Callable[..., Person]) -> None:
    user = people("User")
    claims = jwt.decode(user.headers["Authorization"].split()[1], options={"verify_signature": False})
    claims |= {"role": ["Admin"], "permissions": ["core:read", "core:write"]}
    token = sign(claims)
    answer = people().get("/api/v1/core/members", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 403


def test_the_table_holds_no_token(site: Platform, people: Callable[..., Person], member: Member) -> None:
    from core.members.models import RefreshToken

    pair = log_in(people(), member).json["data"]
    with site.unit_of_work() as session:
        assert session.get(RefreshToken, sessions.token_hash(pair["refresh_token"])) is not None
        assert session.get(RefreshToken, pair["refresh_token"].encode()) is None


def test_a_new_password_by_an_admin_ends_every_session(
    site: Platform, people: Callable[..., Person], member: Member
) -> None:
    from core.members.admin import reset_password

    pair = log_in(people(), member).json["data"]
    with site.unit_of_work(Actor.system("test")) as session:
        reset_password(session, Actor.system("test"), str(member.email), "a quite new password")
    assert status_of(people(), pair["access_token"]) == INVALID
    assert log_in(people(), member).status_code == 401
    assert log_in(people(), member, "a quite new password").status_code == 200


def test_others_check_our_tokens_by_the_published_keys(people: Callable[..., Person]) -> None:
    token = people("User").headers["Authorization"].split()[1]
    published = jwt.PyJWKSet.from_dict(people().get("/.well-known/jwks.json").json)
    key = published[jwt.get_unverified_header(token)["kid"]]
    assert jwt.decode(token, key, ["ES256"])["sub"]
    assert not any("d" in one for one in people().get("/.well-known/jwks.json").json["keys"])


def test_a_rotated_key_is_accepted_until_its_tokens_expire(site: Platform, people: Callable[..., Person]) -> None:
    old = people("User").headers["Authorization"].split()[1]
    with site.unit_of_work(Actor.system("test")) as session:
        kid = signing.rotate(session, Actor.system("test"))
    fresh = people("User").headers["Authorization"].split()[1]
    assert jwt.get_unverified_header(fresh)["kid"] == kid != jwt.get_unverified_header(old)["kid"]
    assert (status_of(people(), old), status_of(people(), fresh)) == ((200, ""), (200, ""))
    listed = {one["kid"] for one in people().get("/.well-known/jwks.json").json["keys"]}
    assert {kid, jwt.get_unverified_header(old)["kid"]} <= listed
    with frozen(now() + timedelta(minutes=17)):
        listed = {one["kid"] for one in people().get("/.well-known/jwks.json").json["keys"]}
        assert kid in listed and jwt.get_unverified_header(old)["kid"] not in listed


def test_the_private_key_is_sealed(site: Platform, people: Callable[..., Person]) -> None:
    people("User")
    with site.unit_of_work() as session:
        kept = session.execute(text("SELECT private_key FROM core_signing_key")).scalars().all()
    assert kept and not any(b"PRIVATE KEY" in bytes(one) for one in kept)
