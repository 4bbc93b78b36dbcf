"""A small plugin for the tests of the core: books of every kind of column, and views that do as they are told."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from flask import Response
from sqlalchemy import ColumnElement, ForeignKey, Index, Numeric, String, Table, func, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from core.actor import Actor
from core.admin.pages import PageBlueprint
from core.db.base import Amount, Count, Id, Instant, LongText, MemberRef, Model, ShortText, choice
from core.errors import Conflict
from core.plugin import MenuItem, Permission, Plugin, Role, Widget
from core.reports.period import Period
from core.reports.report import Chart, Report, ReportColumn
from core.resources.resource import Inline, Resource
from core.rest import fields
from core.rest.blueprint import RestBlueprint
from core.rest.schema import Schema
from core.reviews.kind import ReviewKind
from core.reviews.models import Review

SECRET = "the message of the exception"


class Author(Model):
    __tablename__ = "library_author"

    id: Mapped[Id]
    name: Mapped[str] = mapped_column(String(120), unique=True)

    def __str__(self) -> str:
        return self.name


class Book(Model):
    __tablename__ = "library_book"
    __table_args__ = (Index("ix_library_book_shelf", "shelf", "id"),)

    id: Mapped[Id]
    owner_id: Mapped[MemberRef]
    author_id: Mapped[UUID | None] = mapped_column(ForeignKey("library_author.id"), index=True)
    title: Mapped[ShortText]
    isbn: Mapped[str | None] = mapped_column(String(20), unique=True)
    shelf: Mapped[Count] = mapped_column(default=0)
    copies: Mapped[int] = mapped_column(default=1)
    price: Mapped[Amount | None]
    weight: Mapped[Decimal | None] = mapped_column(Numeric(10, 3))
    lent: Mapped[bool] = mapped_column(default=False)
    state: Mapped[str] = choice("new", "used", "lost", default="new")
    printed_on: Mapped[date | None]
    lent_at: Mapped[Instant | None]
    about: Mapped[LongText | None]
    extras: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)

    author: Mapped[Author | None] = relationship()

    def __str__(self) -> str:
        return self.title


class Stamp(Model):
    """One row for each time a stamping view has had its effect."""

    __tablename__ = "library_stamp"

    id: Mapped[Id]
    label: Mapped[ShortText]


class Note(Model):
    """A resource whose key is text."""

    __tablename__ = "library_note"

    key: Mapped[str] = mapped_column(String(40), primary_key=True)
    body: Mapped[ShortText]


class Letter(Model):
    """A record that hides by what it holds: a sealed one is for admins alone."""

    __tablename__ = "library_letter"

    id: Mapped[Id]
    owner_id: Mapped[MemberRef]
    subject: Mapped[ShortText]
    sealed: Mapped[bool] = mapped_column(default=False)

    def __str__(self) -> str:
        return self.subject


def unsealed(actor: Actor) -> ColumnElement[bool] | None:
    return None if "Admin" in actor.roles else Letter.sealed.is_(False)


TABLES: list[Table] = [model.__table__ for model in (Author, Book, Stamp, Note, Letter)]  # type: ignore[misc]
FILTERS = (
    "title",
    "shelf",
    "copies",
    "price",
    "weight",
    "lent",
    "state",
    "printed_on",
    "lent_at",
    "author_id",
)


class StampBody(Schema):
    label = fields.String(required=True)
    outcome = fields.String(load_default="stamped")


class StampSchema(Schema):
    id = fields.UUID()
    label = fields.String()


class PriceBody(Schema):
    price = fields.Money()
    units = fields.Units()


class Worn(Conflict):
    code = "LIBRARY_WORN"
    sentence = "The stamp is worn."


class Counted(Conflict):
    """A refusal whose writing stays."""

    code = "LIBRARY_COUNTED"
    keeps = True
    sentence = "The attempt was counted."


class Turnstile:
    """Lets a test hold a view: the view says that it is inside, and waits for the test to let it out."""

    def __init__(self) -> None:
        self.inside = threading.Event()
        self.out = threading.Event()


turnstile = Turnstile()
rest = RestBlueprint("library")
pages = PageBlueprint("library")


@rest.post("/stamps", permission="library:stamp:create", idempotent=True)
@rest.arguments(StampBody)
@rest.response(201, StampSchema)
def stamp(session: Session, actor: Actor, body: dict[str, Any]) -> Stamp:
    """Stamp once; the body may ask for a refusal or a mistake after the effect, or to be held inside."""
    made = Stamp(label=body["label"])
    session.add(made)
    session.flush()
    if body["outcome"] == "refused":
        raise Worn()
    if body["outcome"] == "counted":
        raise Counted()
    if body["outcome"] == "broken":
        raise RuntimeError(SECRET)
    if body["outcome"] == "held":
        turnstile.inside.set()
        assert turnstile.out.wait(20)
    return made


@rest.post("/stamps/quiet", permission="library:stamp:create", idempotent=True)
@rest.response(204)
def stamp_quietly(session: Session, actor: Actor) -> Response:
    """Stamp, and answer nothing."""
    session.add(Stamp(label="quiet"))
    return Response(status=204)


@rest.post("/prices", public=True)
@rest.arguments(PriceBody)
@rest.response(200, PriceBody)
def price(session: Session, actor: Actor, body: dict[str, Any]) -> dict[str, Any]:
    """Say back the money that was given."""
    return body


@rest.get("/broken", public=True)
@rest.response(200)
def broken(session: Session, actor: Actor) -> None:
    """Raise what nobody expects."""
    raise RuntimeError(SECRET)


@pages.get("/broken", public=True)
def broken_page(session: Session, actor: Actor) -> str:
    raise RuntimeError(SECRET)


@pages.get("/stamps", permission="library:stamp:create")
def stamps(session: Session, actor: Actor) -> str:
    return "stamps"


def shelves(session: Session, _period: Period, _parameters: Mapping[str, str]) -> list[tuple[Any, ...]]:
    """Books by shelf."""
    return list(session.execute(select(Book.shelf, func.count()).group_by(Book.shelf).order_by(Book.shelf)).tuples())


def broken_widget(session: Session) -> dict[str, Any]:
    raise RuntimeError(SECRET)


def lend(session: Session, actor: Actor, review: Review, approved: bool) -> None:
    """The effect of a decision: a stamp that tells it. A worn one refuses."""
    if review.params.get("worn"):
        raise Worn()
    session.add(Stamp(label=f"{review.subject_id}: {approved}"))


plugin = Plugin(
    "library",
    version="1.0",
    label="Library",
    resources=[
        Resource(
            Book,
            icon="book",
            columns=("title", "author", "state", "shelf", "price", "lent_at"),
            search=("title",),
            few=True,
            filters=FILTERS,
            order="-shelf",
            owner="owner_id",
            states={"state": {"new": "green", "used": "blue", "lost": "red"}},
            restorable=True,
        ),
        Resource(
            Author,
            search=("name",),
            few=True,
            columns=("name",),
            inline=(Inline(model=Book, by="author_id", columns=("title", "state")),),
        ),
        Resource(
            Letter,
            owner="owner_id",
            visible=unsealed,
            columns=("subject", "sealed"),
            search=("subject",),
            few=True,
            filters=("sealed",),
        ),
        Resource(Note, order="key", columns=("key", "body"), fields=("key", "body")),
    ],
    permissions=[
        Permission("library:stamp:create", "Stamp"),
        Permission("library:loan:decide", "Decide on loans"),
        Permission("library:purchase:decide", "Decide on purchases"),
    ],
    reviews=[
        ReviewKind(name="loan", label="Loan", permission="library:loan:decide", decide=lend, icon="book"),
        ReviewKind(
            name="purchase", label="Purchase", permission="library:purchase:decide", decide=lend, four_eyes=True
        ),
    ],
    roles=[
        Role("User", ("library:stamp:create", "library:book:create", "library:letter:create")),
        Role(
            "Moderator",
            ("library:*:list", "library:*:show", "library:stamp:create", "library:letter:*", "library:loan:decide"),
        ),
    ],
    rest=rest,
    pages=pages,
    menu=[MenuItem(label="Stamps", url="/admin/library/stamps", icon="book", permission="library:stamp:create")],
    reports=[
        Report(
            name="shelves",
            label="Shelves",
            permission="library:book:list",
            load=shelves,
            columns=[
                ReportColumn(name="shelf", label="Shelf", kind="integer"),
                ReportColumn(name="books", label="Books", kind="integer", total=True),
            ],
            chart=Chart(kind="bar", x="shelf", series=["books"]),
        )
    ],
    widgets=[
        Widget(
            name="broken",
            title="Broken",
            permission="library:book:list",
            load=broken_widget,
            template="guildhall/dashboard.html",
        )
    ],
)
