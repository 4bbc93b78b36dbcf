"""Wallets for clients: signing in, registering and proving who one is by them; one's own list of them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Response
from marshmallow import validate
from sqlalchemy.orm import Session

from core.actor import Actor
from core.gateway.request import without_two_factor
from core.members import wallets
from core.members.models import Wallet
from core.rest import auth, fields
from core.rest.auth import SignInSchema, TokensSchema, rest
from core.rest.schema import Schema

MESSAGE = "The text of the challenge, unchanged (EIP-4361)."
SIGNATURE = "What the wallet's `personal_sign` answered: 65 bytes in hexadecimal digits."


class ChallengeBody(Schema):
    address = fields.Address(required=True, chain="eip155:1")
    purpose = fields.String(load_default="sign_in", validate=validate.OneOf(("sign_in", "register")))
    chain_id = fields.Integer(
        strict=True, load_default=None, allow_none=True, metadata={"description": "EIP-155.", "example": 146}
    )


class OwnChallengeBody(ChallengeBody):
    purpose = fields.String(load_default="link", validate=validate.OneOf(("link", "step_up")))


class ChallengeSchema(Schema):
    message = fields.String(metadata={"description": "To be signed by `personal_sign`, word for word."})
    expires_at = fields.Instant()


class SignedBody(Schema):
    message = fields.String(required=True, validate=validate.Length(max=4000), metadata={"description": MESSAGE})
    signature = fields.String(
        required=True, load_only=True, validate=validate.Length(max=20_000), metadata={"description": SIGNATURE}
    )


class WalletRegistrationBody(SignedBody):
    display_name = fields.String(required=True, metadata={"example": "Ada"})


class LinkBody(SignedBody):
    label = fields.String(load_default="", validate=validate.Length(max=60), metadata={"example": "Hardware wallet"})


class WalletSchema(Schema):
    id = fields.UUID()
    address = fields.Address(chain="eip155:1")
    label = fields.String()
    is_primary = fields.Boolean()
    linked_at = fields.Instant()
    last_used_at = fields.Instant(allow_none=True)


@rest.post("/auth/wallet/challenge", public=True)
@rest.arguments(ChallengeBody)
@rest.response(200, ChallengeSchema)
def wallet_challenge(session: Session, actor: Actor, body: dict[str, Any]) -> wallets.Challenge:
    """Ask for the message that a wallet signs to sign in or to register; good for five minutes and once."""
    return wallets.challenge(session, actor, **body)


@rest.post("/auth/wallet/login", public=True)
@rest.arguments(SignedBody)
@rest.response(200, SignInSchema)
def wallet_login(session: Session, actor: Actor, body: dict[str, Any]) -> dict[str, Any]:
    """Sign in with a linked wallet; answers as /auth/login does."""
    return auth.first_step(session, actor, wallets.sign_in(session, actor, **body))


@rest.post("/auth/wallet/register", public=True)
@rest.arguments(WalletRegistrationBody)
@rest.response(201, TokensSchema)
def wallet_register(session: Session, actor: Actor, body: dict[str, Any]) -> dict[str, Any]:
    """Register with a wallet, without e-mail address or password, where registration is open."""
    return auth.first_step(session, actor, wallets.register(session, actor, **body))


@rest.post("/me/wallets/challenge", signed_in=True)
@without_two_factor
@rest.arguments(OwnChallengeBody)
@rest.response(200, ChallengeSchema)
def my_wallet_challenge(session: Session, actor: Actor, body: dict[str, Any]) -> wallets.Challenge:
    """Ask for the message that a wallet signs to be linked, or to prove again who you are."""
    actor.require_session()
    return wallets.challenge(session, actor, **body)


@rest.get("/me/wallets", signed_in=True)
@rest.response(200, WalletSchema(many=True))
def list_my_wallets(session: Session, actor: Actor) -> list[Wallet]:
    """Your linked wallets, the primary first."""
    return wallets.of_member(session, _me(actor))


@rest.post("/me/wallets", signed_in=True, step_up=True)
@rest.arguments(LinkBody)
@rest.response(201, WalletSchema)
def link_my_wallet(session: Session, actor: Actor, body: dict[str, Any]) -> Wallet:
    """Link a wallet by its signature; from now on it signs you in."""
    return wallets.link(session, actor, **body)


@rest.post("/me/wallets/<uuid:key>/primary", signed_in=True, step_up=True)
@rest.response(204)
def make_my_wallet_primary(session: Session, actor: Actor, key: UUID) -> Response:
    """Choose the wallet you are known by."""
    wallets.make_primary(session, actor, key)
    return Response(status=204)


@rest.delete("/me/wallets/<uuid:key>", signed_in=True, step_up=True)
@rest.response(204)
def unlink_my_wallet(session: Session, actor: Actor, key: UUID) -> Response:
    """Unlink a wallet. The last way in stays."""
    wallets.unlink(session, actor, key)
    return Response(status=204)


def _me(actor: Actor) -> UUID:
    actor.require_session()
    assert actor.member_id is not None
    return actor.member_id
