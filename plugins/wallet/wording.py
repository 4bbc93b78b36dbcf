"""How pages and statements put what moved: kinds, owners and causes as words, movements as short sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from flask import get_template_attribute
from flask_babel import gettext
from sqlalchemy import select
from sqlalchemy.orm import Session

from guildhall import Member, Seeded, _

from . import queries
from .models import Reward, Transfer
from .service.accounts import LABELS
from .units import decimal

KINDS = {
    "transfer": _("Payment"),
    "issue": _("Issue"),
    "retire": _("Retirement"),
    "reward": _("Reward"),
    "capture": _("Captured reservation"),
    "hold": _("Reservation"),
    "refund": _("Refund"),
    "reversal": _("Reversal"),
    "adjustment": _("Adjustment"),
    "conversion": _("Conversion"),
    "automation": _("Payment by an automation"),
    "claim": _("Takeover of a history"),
}
STATUSES = {
    "pending": _("Reserved"),
    "completed": _("Completed"),
    "failed": _("Came to nothing"),
    "reversed": _("Reversed"),
}
WHY = {
    "FUND_SHORT": _("The reward fund must be filled"),
    "FUND_FROZEN": _("The reward fund is frozen"),
    "WALLET_CLOSED": _("The member's wallet is closed"),
    "MEMBER_FLAGGED": _("A contribution of the member is under review"),
    "REVIEW_REJECTED": _("The review was rejected"),
    "REWARDED_TWICE": _("The member who took the history over was rewarded for the same"),
}
HOUSE = Seeded({purpose: (label,) for purpose, label in LABELS.items()})
SHORT_REFERENCE = 14


def kind_words(kind: str) -> str:
    """What people call a kind of transfer, in the reader's language; another plugin's kind as it calls it."""
    return str(gettext(KINDS.get(kind) or kind.replace("_", " ").replace(".", " ").capitalize()))


def account_name(name: str, purpose: str) -> str:
    """Whose account it is; those of the house, while they are called as they began, in the reader's language."""
    return HOUSE(purpose, name, gettext)


def sentence(kind: str, legs: Sequence[Mapping[str, Any]]) -> str:
    """What a transfer did: ``Payment of 5.00 USD from Ada to Bo``. ``legs`` are ``queries.legs`` of it."""
    called = kind_words(kind)
    if len(legs) != 2 or legs[0]["asset"] != legs[1]["asset"]:
        return str(gettext("%(kind)s among %(count)s accounts", kind=called, count=len(legs)))
    source, destination = legs
    amount = f"{decimal(destination['amount'], destination['scale'])} {destination['asset']}"
    whom = account_name(destination["name"], destination["purpose"])
    by = account_name(source["name"], source["purpose"])
    return str(
        gettext("%(kind)s of %(amount)s from %(source)s to %(whom)s", kind=called, amount=amount, source=by, whom=whom)
    )


def transfers(session: Session, records: Sequence[Transfer]) -> list[Mapping[str, Any]]:
    """Transfers as sentences, by whom, and their long references to be copied."""
    legs = queries.legs_of(session, [one.id for one in records])
    people = _people(session, [one.actor for one in records])
    return [
        {
            "what": sentence(one.kind, legs.get(one.id, ())),
            "kind": kind_words(one.kind),
            "actor": people.get(one.actor) or _by(one.actor),
            "reference": _reference(one.reference),
        }
        for one in records
    ]


def transfer_title(session: Session, record: Transfer) -> str:
    """The transfer as a sentence."""
    return sentence(record.kind, queries.legs(session, record.id))


def rewards(session: Session, records: Sequence[Reward]) -> list[Mapping[str, Any]]:
    """Rewards with what they wait for in words, and their long references to be copied."""
    return [
        {"why": gettext(WHY[one.why]) if one.why in WHY else one.why, "reference": _reference(one.reference)}
        for one in records
    ]


def reward_title(session: Session, record: Reward) -> str:
    """How much, for whom."""
    name = session.scalar(select(Member.display_name).where(Member.id == record.member_id)) or ""
    amount = queries.shown(session, record.amount, record.asset)
    return str(gettext("Reward of %(amount)s for %(member)s", amount=amount, member=name))


def _reference(reference: str | None) -> Any:
    if not reference:
        return reference
    return get_template_attribute("guildhall/ui.html", "copy_id")(
        reference, gettext("Copy the reference"), SHORT_REFERENCE
    )


def _by(actor: str) -> str:
    """Who, where it was no member: a part of the platform by its name, which is for technicians."""
    kind, _colon, name = actor.partition(":")
    return str(gettext("the platform (%(name)s)", name=name)) if kind == "system" else actor


def _people(session: Session, actors: Sequence[str]) -> dict[str, str]:
    """Names of those actors that are members, by what the ledger calls them."""
    ids = {UUID(one.removeprefix("member:")): one for one in actors if one.startswith("member:")}
    found = session.execute(select(Member.id, Member.display_name).where(Member.id.in_(ids))).tuples()
    return {ids[member_id]: name for member_id, name in found}
