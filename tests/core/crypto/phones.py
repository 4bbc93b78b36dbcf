"""Phones whose secrets are sealed, and what a test does with them."""

from __future__ import annotations

import base64
from typing import Any

from sqlalchemy import LargeBinary, String, select, text, type_coerce
from sqlalchemy.orm import Mapped, mapped_column

from core.actor import Actor
from core.crypto.sealed import Sealed
from core.db.base import Id, Model
from core.platform import Platform
from core.plugin import Plugin
from core.resources.resource import Resource
from guildhall import new_id

SECRET = "JBSWY3DPEHPK3PXP"
SYSTEM = Actor.system("test")


class Phone(Model):
    __tablename__ = "sealing_phone"

    id: Mapped[Id]
    label: Mapped[str] = mapped_column(String(40), unique=True)
    secret: Mapped[str | None] = mapped_column(Sealed("sealing.secret"))
    number: Mapped[str | None] = mapped_column(Sealed("sealing.number"))


SEALING = Plugin("sealing", version="1", label="", resources=[Resource(Phone)])


def key(letter: str) -> str:
    return base64.b64encode(letter.encode() * 32).decode()


def add(platform: Platform, **values: Any) -> Phone:
    phone = Phone(label=str(new_id()), **values)
    with platform.unit_of_work(SYSTEM) as session:
        session.add(phone)
    return phone


def read(platform: Platform, phone: Phone) -> str | None:
    with platform.unit_of_work() as session:
        return session.get_one(Phone, phone.id).secret


def raw(platform: Platform, phone: Phone, column: Any = Phone.secret) -> bytes:
    with platform.unit_of_work() as session:
        return bytes(session.scalar(select(type_coerce(column, LargeBinary)).where(Phone.id == phone.id)) or b"")


def put(platform: Platform, phone: Phone, value: bytes) -> None:
    with platform.unit_of_work() as session:
        session.execute(text("UPDATE sealing_phone SET secret = :v WHERE id = :id"), {"v": value, "id": phone.id})
