"""The door for signed webhooks: ``POST /api/v1/contributions/webhooks/<slug>``."""

from __future__ import annotations

from collections import Counter
from typing import Any

from flask import request
from sqlalchemy.orm import Session

from guildhall import Actor, Invalid, switches
from guildhall.web import Schema, fields, read_json

from . import webhooks
from .errors import PayloadUnreadable
from .rest import rest

MOST_BYTES = 5 * 1024 * 1024
SIGNATURES = ("X-Hub-Signature-256", "X-Signature-256")


class DeliverySchema(Schema):
    """What became of a delivery's contributions; what is answered is kept."""

    recorded = fields.Integer(required=True)
    pending = fields.Integer(required=True)
    duplicate = fields.Integer(required=True)
    rejected = fields.Integer(required=True)
    invalid = fields.Integer(required=True)


@rest.post("/webhooks/<slug>", public=True, body_limit=MOST_BYTES)
@rest.doc(
    requestBody={"required": True, "content": {"application/json": {"schema": {"type": "object"}}}},
    parameters=[{"in": "header", "name": name, "schema": {"type": "string"}} for name in SIGNATURES],
)
@rest.response(200, DeliverySchema)
def receive_webhook(session: Session, actor: Actor, slug: str) -> dict[str, Any]:
    """Receive a delivery signed with the source's secret; one that comes twice counts once."""
    switches.require(session, "contributions.webhooks")
    body = request.get_data()
    try:
        payload = read_json(body.decode("utf-8", "replace"))
    except Invalid as problem:
        raise PayloadUnreadable(problem=problem.message) from None
    signature = next((found for name in SIGNATURES if (found := request.headers.get(name))), "")
    event = request.headers.get("X-GitHub-Event", "")[:80]
    outcomes = webhooks.receive(session, actor, slug, body=body, payload=payload, signature=signature, event=event)
    counts = Counter(one.outcome for one in outcomes)
    return {name: counts[name] for name in DeliverySchema().fields}
