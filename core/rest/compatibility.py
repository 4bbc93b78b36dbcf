"""Routes that keep the path and the body of seed C: aliases of native ones, in camelCase and without the envelope.

Failures are the envelope of every other route.
"""

from __future__ import annotations

from typing import Any

from marshmallow import validate
from sqlalchemy.orm import Session

from core import access
from core.actor import Actor
from core.addresses import EVM
from core.errors import Invalid
from core.gateway.request import without_two_factor
from core.i18n import _
from core.members import ethereum, wallets
from core.members.models import Member
from core.rest import auth, fields
from core.rest.blueprint import RestBlueprint
from core.rest.schema import Schema

rest = RestBlueprint("core", "Paths and bodies that existing clients know.", part="compatibility", prefix="/api")
PASSWORD, WALLET = ("email", "password"), ("walletAddress", "signature", "message")
ROLES = ("Admin", "Moderator", "User", "Service")


class LoginRequest(Schema):
    email = fields.String(metadata={"example": "ada@example.org"})
    password = fields.String(load_only=True)
    walletAddress = fields.String(validate=validate.Length(max=100), metadata={"example": EVM.example})
    signature = fields.String(load_only=True, validate=validate.Length(max=20_000))
    message = fields.String(validate=validate.Length(max=4000))


class LoginAnswer(Schema):
    token = fields.String(metadata={"description": "The access token."})
    refreshToken = fields.String()
    tokenType = fields.String()
    expiresIn = fields.Integer(metadata={"description": "Seconds until the access token expires."})
    challengeToken = fields.String(metadata={"description": "Given instead where a second factor is asked for."})
    methods = fields.List(
        fields.String(), metadata={"description": "With it: what the second step takes, of `totp`, `sms` and `mail`."}
    )
    authenticated = fields.Boolean(required=True)


class CompatibleUser(Schema):
    id = fields.UUID(required=True)
    email = fields.String(allow_none=True)
    walletAddress = fields.String(allow_none=True)
    name = fields.String(required=True)
    role = fields.String(required=True, metadata={"description": "The highest of the member's roles, in lower case."})
    isAdmin = fields.Boolean(required=True)


class UserAnswer(Schema):
    user = fields.Nested(CompatibleUser, required=True)
    permissions = fields.List(fields.String(), required=True, metadata={"description": "Bundles, as in tokens."})
    authenticated = fields.Boolean(required=True)


@rest.post("/auth/login", public=True)
@rest.arguments(LoginRequest)
@rest.response(200, LoginAnswer, plain=True)
def login_compatibly(session: Session, actor: Actor, body: dict[str, Any]) -> dict[str, Any]:
    """Sign in; alias of /api/v1/core/auth/login, or of /api/v1/core/auth/wallet/login with a wallet.

    The message to sign is given by /api/v1/core/auth/wallet/challenge.
    """
    wanted = WALLET if body.keys() & set(WALLET) else PASSWORD
    if missing := [name for name in wanted if name not in body]:
        raise Invalid({name: [_("Missing data for required field.")] for name in missing})
    if mixed := [name for name in body if name not in wanted]:
        raise Invalid(
            {name: [_("Sign in with e-mail and password or with a wallet, not with both.")] for name in mixed}
        )
    if wanted is PASSWORD:
        given = auth.sign_in(session, actor, email=body["email"], password=body["password"])
    else:
        address = EVM.check(body["walletAddress"], "walletAddress")
        if ethereum.parse(body["message"]).address != address:
            raise ethereum.refused(_("It names another wallet."))
        member = wallets.sign_in(session, actor, message=body["message"], signature=body["signature"])
        given = auth.first_step(session, actor, member)
    if "challenge_token" in given:
        return {
            "challengeToken": given["challenge_token"],
            "methods": given["methods"],
            "authenticated": False,
        }
    return {
        "token": given["access_token"],
        "refreshToken": given["refresh_token"],
        "tokenType": given["token_type"],
        "expiresIn": given["expires_in"],
        "authenticated": True,
    }


@rest.get("/auth/user", signed_in=True)
@without_two_factor
@rest.response(200, UserAnswer, plain=True)
def get_user_compatibly(session: Session, actor: Actor) -> dict[str, Any]:
    """Who is signed in; alias of /api/v1/core/me."""
    member = session.get_one(Member, actor.member_id)
    highest = next((role for role in ROLES if role in actor.roles), next(iter(actor.roles), "User"))
    return {
        "user": {
            "id": member.id,
            "email": member.email,
            "walletAddress": wallets.primary_address(session, member.id),
            "name": member.display_name,
            "role": highest.lower(),
            "isAdmin": "Admin" in actor.roles,
        },
        "permissions": access.bundles(actor.permissions),
        "authenticated": True,
    }


# How /api/health, which is the plain view of /health, is described.
HEALTH = {
    "get": {
        "operationId": "core_health",
        "summary": "Whether the process lives; alias of /health.",
        "tags": ["core"],
        "security": [],
        "responses": {
            "200": {
                "description": "It does.",
                "content": {
                    "application/json": {
                        "schema": {"type": "object", "properties": {"status": {"type": "string", "enum": ["ok"]}}}
                    }
                },
            },
            "default": {"$ref": "#/components/responses/DEFAULT_ERROR"},
        },
    }
}
