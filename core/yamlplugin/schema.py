"""The format of ``plugin.yaml``: one frozen pydantic model, from which editors' JSON Schema follows.

What the models cannot say of a file as a whole is checked in ``checks.py``; ``reading.py`` brings both together.
"""

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


class TextField(AnyField):
    """One line of text."""

    type: Literal["text"]
    default: Prose | None = Field(None, description="The value where none is given.")
    max_length: int = Field(120, ge=1, le=2000, description="The most characters it may have.")
    search: bool = Field(False, description="Lists are searched by its beginning; an index serves that.")
    personal: bool | None = Field(None, description="Whether it may hold something personal; by default it may.")


class LongTextField(AnyField):
    """Text of several lines, without a limit of its own."""

    type: Literal["long_text"]
    default: Prose | None = Field(None, description="The value where none is given.")
    unique: Literal[False] = Field(False, description="Long text cannot be unique.")
    filter: Literal[False] = Field(False, description="Lists cannot be filtered by long text.")
    search: bool = Field(False, description="Lists are searched by its words, beside a shorter text's beginning.")
    personal: bool | None = Field(None, description="Whether it may hold something personal; by default it may.")


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


class AnySetting(Part):
    """What settings, and the fields of an operation's form, can say."""

    label: Prose = Field("", description="What people call it; by default its name, in words.")
    help: Prose = Field("", description="A sentence below it.")


class TextSetting(AnySetting):
    """One line of text."""

    type: Literal["text"]
    default: Prose | None = Field(None, description="The value where none is given; every setting has one.")
    max_length: int = Field(200, ge=1, le=2000, description="The most characters it may have.")


class IntegerSetting(AnySetting):
    """A whole number."""

    type: Literal["integer"]
    default: Whole | None = Field(None, description="The value where none is given; every setting has one.")
    min: Whole | None = Field(None, description="The least it may be.")
    max: Whole | None = Field(None, description="The most it may be.")


class DecimalSetting(AnySetting):
    """A number with places after the point."""

    type: Literal["decimal"]
    default: Exact | None = Field(None, description="The value where none is given; every setting has one.")
    min: Exact | None = Field(None, description="The least it may be.")
    max: Exact | None = Field(None, description="The most it may be.")


class BooleanSetting(AnySetting):
    """Yes or no."""

    type: Literal["boolean"]
    default: bool | None = Field(None, description="The value where none is given; every setting has one.")


class ChoiceSetting(AnySetting):
    """One of a fixed list of values."""

    type: Literal["choice"]
    values: Values = Field(description="The values.")
    default: Value | None = Field(None, description="The value where none is given; every setting has one.")


SettingSpec = Annotated[
    TextSetting | IntegerSetting | DecimalSetting | BooleanSetting | ChoiceSetting, Field(discriminator="type")
]


class SectionSpec(Part):
    """A part of the form and of the record page."""

    title: Line = Field(description="Its heading.")
    fields: Slugs = Field(min_length=1, description="Its fields, in order.")
    help: Prose = Field("", description="A sentence below the heading.")
    folded: bool = Field(False, description="It opens only when asked, or where something in it is wrong.")


class InlineSpec(Part):
    """A tab of the record page with the records of another resource of this plugin that refer to this one."""

    resource: Slug = Field(description="That resource's name.")
    by: Slug = Field(description="Its field that refers to this resource.")
    columns: Slugs = Field((), description="What is shown of each; by default those of its list.")
    title: Prose = Field("", description="The tab's title; by default what many of them are called.")
    limit: int = Field(20, ge=1, le=100, description="So many are shown.")


class OperationSpec(Part):
    """An act upon chosen records: a function of `actions.py`, called for each with (session, actor, record, values)."""

    name: Slug = Field(description="Its name.")
    label: Line = Field(description="What its button says.")
    run: Function = Field(description="The function of `actions.py`.")
    permission: PermissionName = Field(description="What one must hold: `plugin:resource:action`.")
    icon: Icon = Field("bolt", description="Name of an icon of the sprite.")
    help: Prose = Field("", description="A sentence above its form.")
    danger: bool = Field(False, description="It cannot be taken back, and looks so.")
    form: dict[Slug, SettingSpec] = Field(
        default_factory=dict,
        description="What is asked for before, by name, as settings are; `default` may be left out.",
    )


class TransitionSpec(Part):
    """A change of a choice that is allowed. With one of them, every other change of that field is refused."""

    field: Slug = Field(description="The field, of type choice.")
    from_: Values = Field(alias="from", description="The values it may be made from.")
    to: Value = Field(description="The value after it.")
    permission: PermissionName | Literal[""] = Field(
        "", description="What making it takes; by default the permission to change records."
    )
    label: Prose = Field("", description="What its button says; by default the value.")
    reason: bool = Field(False, description="Whether a reason must be given.")
    name: Slug | None = Field(None, description="What REST calls it by; by default the value after it.")
    icon: Icon = Field("arrow-right", description="Name of an icon of the sprite.")
    danger: bool = Field(False, description="Its button looks dangerous.")


class ComputedSpec(Part):
    """A column that follows from others: a function of `actions.py`, `f(session, records)`, with a value for each."""

    run: Function = Field(description="The function of `actions.py`.")
    label: Line = Field(description="What people call it.")
    type: Literal["text", "integer", "decimal", "boolean", "instant", "date"] = Field(
        "text", description="What its values are."
    )
    help: Prose = Field("", description="What it says.")


class ResourceSpec(Part):
    """A table with generated pages, REST, GraphQL, permissions, audit and events."""

    fields: dict[Slug, FieldSpec] = Field(min_length=1, max_length=100, description="Its fields, by name, in order.")
    label: Prose = Field("", description="What people call one; by default its name, in words.")
    label_plural: Prose = Field("", description="What people call many; by default the label with an s.")
    icon: Icon = Field("table", description="Name of an icon of the sprite.")
    title: Slug | None = Field(None, description="The field that names a record to people.")
    owner: Slug | None = Field(
        None,
        description="The field of type member whose member a record belongs to: filled in, and they see their own.",
    )
    actions: Annotated[tuple[Action, ...], Strict(False)] = Field(
        ("list", "show", "create", "update", "delete"), min_length=1, description="What exists, in pages and REST."
    )
    columns: Slugs = Field((), description="The columns of its list; by default the first six.")
    order: str = Field(
        "-id",
        pattern=r"^-?[a-z][a-z0-9_]*$",
        max_length=41,
        description="The field lists are sorted by; `-` backwards.",
    )
    few: bool = Field(False, description="There are some thousand records at most, ever.")
    sections: Annotated[tuple[SectionSpec, ...], Strict(False)] = Field((), description="Parts of form and page.")
    inline: Annotated[tuple[InlineSpec, ...], Strict(False)] = Field((), description="Records that refer to it.")
    operations: Annotated[tuple[OperationSpec, ...], Strict(False)] = Field((), description="Further acts upon it.")
    transitions: Annotated[tuple[TransitionSpec, ...], Strict(False)] = Field(
        (), description="Changes of its states that are allowed, and to whom."
    )
    computed: dict[Slug, ComputedSpec] = Field(
        default_factory=dict, description="Columns that follow from others, by name."
    )
    soft_delete: bool = Field(False, description="Deleted records are kept, and can be brought back.")
    keep_deleted_days: int | None = Field(
        None, ge=0, description="So long they are kept, 0 for ever; by default the platform's setting."
    )
    unique_together: Annotated[tuple[Slugs, ...], Strict(False)] = Field(
        (), description="Fields of which no two records have the same values together: `[[event_id, member_id]]`."
    )
    events: bool = Field(True, description="Whether `created`, `updated` and `deleted` events are published.")
    audit: bool = Field(True, description="Whether changes are written to the audit trail.")
    restorable: bool = Field(False, description="A deleted record can be written anew from the audit trail.")
    rest: bool = Field(True, description="Whether there are REST routes, and GraphQL.")
    menu: bool = Field(True, description="Whether the sidebar shows it.")


class SubscriberSpec(Part):
    """A reaction to an event: a function of `actions.py`, called once with (session, actor, event)."""

    on: EventName = Field(description="The event's name: `plugin.thing.verb`.")
    run: Function = Field(description="The function of `actions.py`; its name is the subscriber's.")
    when: Slug | None = Field(None, description="A yes-or-no setting of this plugin; nothing is done while it is off.")


class PluginSpec(Part):
    """A whole `plugin.yaml`."""

    name: Slug = Field(description="The name of its folder; prefix of tables, permissions, events and URLs.")
    version: Line = Field(description='Such as `0.1.0`; write `"1.0"` in quotes.')
    label: Line = Field(description="What people call it; the heading of its part of the sidebar.")
    description: Prose = Field("", description="A sentence for the plugin page.")
    icon: Icon = Field("puzzle", description="Name of an icon of the sprite.")
    requires: dict[Slug, str] = Field(
        default_factory=dict, description='Plugins it needs, with versions: `{wallet: ">=0.1"}`.'
    )
    settings: dict[Slug, SettingSpec] = Field(default_factory=dict, description="Its settings, by name.")
    resources: dict[Slug, ResourceSpec] = Field(
        default_factory=dict, max_length=50, description="Its resources, by name."
    )
    permissions: dict[PermissionName, Line] = Field(
        default_factory=dict, description="Further permissions, each with what it allows, in words."
    )
    roles: dict[Line, Annotated[tuple[Grant, ...], Strict(False)]] = Field(
        default_factory=dict, description="What roles may do by default; `*` for all of a resource."
    )
    subscribers: Annotated[tuple[SubscriberSpec, ...], Strict(False)] = Field(
        (), description="Its reactions to events."
    )
    translations: dict[Line, dict[str, str]] = Field(
        default_factory=dict, description="Its texts in other languages: `{fr: {Events: Événements}}`."
    )
