"""The fields that a ``plugin.yaml`` can give a record, and the plain values that all parts of the file are made of."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, Strict, StringConstraints, WithJsonSchema

SLUG = r"^[a-z][a-z0-9]*(_[a-z0-9]+)*$"
Slug = Annotated[str, StringConstraints(pattern=SLUG, max_length=40)]
Line = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Prose = Annotated[str, StringConstraints(max_length=2000)]
Icon = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=40)]
Function = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=80)]
PermissionName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]+:[a-z0-9_]+:[a-z0-9_]+$", max_length=120)]
Grant = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]+:([a-z0-9_]+|\*):([a-z0-9_]+|\*)$", max_length=120)]
EventName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]+\.[a-z0-9_]+\.[a-z0-9_]+$", max_length=120)]
Value = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+([_-][a-z0-9]+)*$", max_length=40)]
Colour = Literal["green", "blue", "yellow", "red", "gray", "purple"]
Action = Literal["list", "show", "create", "update", "delete"]
Slugs = Annotated[tuple[Slug, ...], Strict(False)]
Values = Annotated[tuple[Value, ...], Strict(False), Field(min_length=1, max_length=50)]
# A number with a point comes from YAML as a Decimal already, so that no digit is lost.
Exact = Annotated[
    Decimal,
    BeforeValidator(lambda given: Decimal(given) if type(given) is int else given),
    WithJsonSchema({"type": "number"}),
]
Whole = Annotated[int, Field(ge=-(2**63) + 1, le=2**63 - 1)]


class Part(BaseModel):
    """Base of every part of the file: frozen, strict, and nothing unknown."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, populate_by_name=False)


class AnyField(Part):
    """What fields of all types can say."""

    label: Prose = Field("", description="What people call it; by default its name, in words.")
    help: Prose = Field("", description="A sentence below it in forms.")
    required: bool = Field(False, description="Every record has a value. One with a default needs not be given.")
    unique: bool = Field(False, description="No two records have the same value.")
    filter: bool = Field(False, description="Lists can be filtered by it, in pages, REST and GraphQL.")
    bulk: bool = Field(False, description="It can be changed for many records at once; never something personal.")
    hidden: bool = Field(False, description="No page and no answer shows it.")
    was: Slug | None = Field(
        None, description="What it was called before: the next migration renames its column, and what it holds stays."
    )


class TextField(AnyField):
    """One line of text."""

    type: Literal["text"]
    default: Prose | None = Field(None, description="The value where none is given.")
    max_length: int = Field(120, ge=1, le=2000, description="The most characters it may have.")
    search: bool = Field(False, description="Lists are searched by its beginning; an index serves that.")
    personal: bool | None = Field(None, description="Whether it may hold something personal; by default it may.")
    translated: bool = Field(False, description="Records have it in every language of the installation.")


class LongTextField(AnyField):
    """Text of several lines, without a limit of its own."""

    type: Literal["long_text"]
    default: Prose | None = Field(None, description="The value where none is given.")
    unique: Literal[False] = Field(False, description="Long text cannot be unique.")
    filter: Literal[False] = Field(False, description="Lists cannot be filtered by long text.")
    search: bool = Field(False, description="Lists are searched by its words, beside a shorter text's beginning.")
    personal: bool | None = Field(None, description="Whether it may hold something personal; by default it may.")
    translated: bool = Field(False, description="Records have it in every language of the installation.")


class IntegerField(AnyField):
    """A whole number, up to 19 digits."""

    type: Literal["integer"]
    default: Whole | None = Field(None, description="The value where none is given.")


class DecimalField(AnyField):
    """A number with a fixed count of places after the point; not for money."""

    type: Literal["decimal"]
    default: Exact | None = Field(None, description="The value where none is given.")
    digits: int = Field(18, ge=1, le=38, description="The most digits it may have, places included.")
    places: int = Field(2, ge=0, le=18, description="How many of them stand after the point.")


class AmountField(AnyField):
    """Money: a whole number of an asset's smallest unit."""

    type: Literal["amount"]
    default: Whole | None = Field(None, description="The value where none is given, in smallest units.")


class BooleanField(AnyField):
    """Yes or no."""

    type: Literal["boolean"]
    default: bool | None = Field(None, description="The value where none is given.")


class DateField(AnyField):
    """A day."""

    type: Literal["date"]


class InstantField(AnyField):
    """A moment, kept in UTC."""

    type: Literal["instant"]
    default: Literal["now"] | None = Field(None, description="`now`: when the record is made.")


class ChoiceField(AnyField):
    """One of a fixed list of values, which the table itself checks."""

    type: Literal["choice"]
    unique: Literal[False] = Field(False, description="Choices repeat.")
    values: Values = Field(description="The values, such as `[new, done]`.")
    default: Value | None = Field(None, description="The value where none is given.")
    initial: Annotated[tuple[Value, ...], Strict(False)] = Field(
        (), description="With transitions: the values that a new record may begin with; by default the default."
    )
    colours: dict[Value, Colour] = Field(
        default_factory=dict, description="The colour a value is shown in: green, blue, yellow, red, gray, purple."
    )


class MemberField(AnyField):
    """A member. Their copy of what is held about them, and their erasure, find the record by it."""

    type: Literal["member"]


class ReferenceField(AnyField):
    """A record of another resource, of this plugin or of one it requires."""

    type: Literal["reference"]
    to: str = Field(
        pattern=r"^[a-z0-9_]+(\.[a-z0-9_]+)?$",
        max_length=81,
        description="The resource's name; `plugin.resource` for one of a required plugin.",
    )
    on_delete: Literal["restrict", "cascade", "clear"] = Field(
        "restrict",
        description="When what it refers to is deleted: refuse that, delete this record too, or empty the field.",
    )


class AddressField(AnyField):
    """A blockchain address, checked and kept in its canonical form."""

    type: Literal["address"]
    chain: Literal["evm", "tron"] = Field("evm", description="Which kind of address.")


class JsonField(AnyField):
    """An object of JSON."""

    type: Literal["json"]
    unique: Literal[False] = Field(False, description="JSON cannot be unique.")
    filter: Literal[False] = Field(False, description="Lists cannot be filtered by JSON.")
    personal: bool | None = Field(None, description="Whether it may hold something personal; by default it may.")


class FileField(AnyField):
    """A file that belongs to the record: sent for it, shown with a link, gone with it."""

    type: Literal["file"]
    unique: Literal[False] = Field(False, description="Each record has a file of its own anyway.")
    filter: Literal[False] = Field(False, description="Lists cannot be filtered by a file.")
    bulk: Literal[False] = Field(False, description="A file belongs to one record.")
    allowed: Annotated[tuple[Literal["images", "documents", "media"], ...], Strict(False)] = Field(
        ("images", "documents"), min_length=1, description="What is taken, by content: images, documents, media."
    )
    max_bytes: int | None = Field(None, ge=1, description="Its own limit below the platform's.")


FieldSpec = Annotated[
    TextField
    | LongTextField
    | IntegerField
    | DecimalField
    | AmountField
    | BooleanField
    | DateField
    | InstantField
    | ChoiceField
    | MemberField
    | ReferenceField
    | AddressField
    | JsonField
    | FileField,
    Field(discriminator="type"),
]
