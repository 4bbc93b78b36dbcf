"""The format of ``plugin.yaml``: one frozen pydantic model, from which editors' JSON Schema follows.

What the models cannot say of a file as a whole is checked in ``checks.py``; ``reading.py`` brings both together.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, Strict

from core.yamlplugin.field_types import SLUG as SLUG
from core.yamlplugin.field_types import Action as Action
from core.yamlplugin.field_types import AddressField as AddressField
from core.yamlplugin.field_types import AmountField as AmountField
from core.yamlplugin.field_types import AnyField as AnyField
from core.yamlplugin.field_types import BooleanField as BooleanField
from core.yamlplugin.field_types import ChoiceField as ChoiceField
from core.yamlplugin.field_types import Colour as Colour
from core.yamlplugin.field_types import DateField as DateField
from core.yamlplugin.field_types import DecimalField as DecimalField
from core.yamlplugin.field_types import EventName as EventName
from core.yamlplugin.field_types import Exact as Exact
from core.yamlplugin.field_types import FieldSpec as FieldSpec
from core.yamlplugin.field_types import FileField as FileField
from core.yamlplugin.field_types import Function as Function
from core.yamlplugin.field_types import Grant as Grant
from core.yamlplugin.field_types import Icon as Icon
from core.yamlplugin.field_types import InstantField as InstantField
from core.yamlplugin.field_types import IntegerField as IntegerField
from core.yamlplugin.field_types import JsonField as JsonField
from core.yamlplugin.field_types import Line as Line
from core.yamlplugin.field_types import LongTextField as LongTextField
from core.yamlplugin.field_types import MemberField as MemberField
from core.yamlplugin.field_types import Part as Part
from core.yamlplugin.field_types import PermissionName as PermissionName
from core.yamlplugin.field_types import Prose as Prose
from core.yamlplugin.field_types import ReferenceField as ReferenceField
from core.yamlplugin.field_types import Slug as Slug
from core.yamlplugin.field_types import Slugs as Slugs
from core.yamlplugin.field_types import TextField as TextField
from core.yamlplugin.field_types import Value as Value
from core.yamlplugin.field_types import Values as Values
from core.yamlplugin.field_types import Whole as Whole


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


class RowsSpec(Part):
    """A rule of who may know of which records; what it names holds together."""

    member: Slug | None = Field(None, description="A field of type member: whom it names.")
    field: Slug | None = Field(
        None, description="A field of type choice, with `is`; or one of yes or no: where it is yes."
    )
    is_: Annotated[tuple[Value, ...], Strict(False)] = Field((), alias="is", description="The values of that choice.")
    permission: PermissionName | Literal[""] = Field("", description="Who holds it; by itself, they see all.")
    run: Function | None = Field(
        None, description="A function of `actions.py`, `f(actor)`: the condition in SQLAlchemy, None for all. Alone."
    )


class ResourceSpec(Part):
    """A table with generated pages, REST, GraphQL, permissions, audit and events."""

    fields: dict[Slug, FieldSpec] = Field(min_length=1, max_length=100, description="Its fields, by name, in order.")
    label: Prose = Field("", description="What people call one; by default its name, in words.")
    label_plural: Prose = Field("", description="What people call many; by default the label with an s.")
    was: Slug | None = Field(
        None, description="What it was called before: the next migration renames its table, and what it holds stays."
    )
    icon: Icon = Field("table", description="Name of an icon of the sprite.")
    title: Slug | None = Field(None, description="The field that names a record to people.")
    owner: Slug | None = Field(
        None,
        description="The field of type member whose member a record belongs to: filled in, and they see their own.",
    )
    rows: Annotated[tuple[RowsSpec, ...], Strict(False)] = Field(
        (),
        description="Who may know of which records, beside permissions and `owner`: what one of these rules allows.",
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


class AutomationSpec(Part):
    """An automation that the plugin suggests: an admin takes over a copy, which is off at first."""

    label: Line = Field(description="What the automation is called.")
    description: Prose = Field("", description="A sentence for who decides whether to take it.")
    trigger: dict[str, Any] = Field(description="What starts it, as in the YAML that automations are exported as.")
    condition: dict[str, Any] = Field(default_factory=dict, description="When it goes on, as there.")
    actions: list[Any] = Field(min_length=1, description="What it does, as there.")
    limits: dict[str, Any] = Field(default_factory=dict, description="How often it may run, as there.")


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
    automations: dict[Slug, AutomationSpec] = Field(
        default_factory=dict, max_length=50, description="Automations that it suggests to admins, by name."
    )
    translations: dict[Line, dict[str, str]] = Field(
        default_factory=dict, description="Its texts in other languages: `{fr: {Events: Événements}}`."
    )
