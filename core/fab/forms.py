"""WTForms of a resource, from the same columns that REST uses."""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from flask import g
from flask_appbuilder.forms import DynamicForm
from flask_babel import gettext, lazy_gettext
from sqlalchemy.dialects.postgresql import JSONB
from wtforms import (
    BooleanField,
    DateField,
    DateTimeLocalField,
    DecimalField,
    Field,
    IntegerField,
    SelectField,
    StringField,
    TextAreaField,
    ValidationError,
    validators,
)

from core.actor import Actor
from core.addresses import AddressColumn, InvalidAddress
from core.content_languages import TRANSLATIONS
from core.db.base import Units
from core.errors import Invalid
from core.fab.content_fields import FileRefField, ReferenceField, TranslationsField, UuidField
from core.fab.content_fields import label_of as label_of
from core.i18n import _
from core.resources.resource import BoundResource
from core.resources.transition import value_of
from core.rest.body import read_json
from core.rest.schema import BIGGEST, storable
from core.wording import words

LONG = 200


class JsonField(TextAreaField):
    """Shows and reads a JSON value; what is not JSON is an error at the field."""

    def _value(self) -> str:
        if self.raw_data:
            return str(self.raw_data[0])
        return json.dumps(self.data, indent=2, ensure_ascii=False) if self.data is not None else ""

    def process_formdata(self, valuelist: list[str]) -> None:
        self.data = None
        if valuelist and valuelist[0].strip():
            try:
                self.data = read_json(valuelist[0])
            except Invalid as problem:
                raise ValueError(problem.fill(gettext(problem.sentence))) from None


class UnitsField(IntegerField):
    """A whole number of units."""

    def process_formdata(self, valuelist: list[str]) -> None:
        super().process_formdata([value.replace("\u202f", "").replace(" ", "") for value in valuelist])


class StateField(SelectField):
    """A state: offers those that can be reached. Any other that there is goes on, to be refused with the reason."""

    offered: Collection[str] | None = None

    def iter_choices(self) -> Any:
        return (one for one in super().iter_choices() if self.offered is None or one[0] in self.offered)

    def pre_validate(self, form: Any) -> None:
        if self.data and self.data not in {one[0] for one in super().iter_choices()}:
            raise ValidationError(self.gettext("Not a valid choice."))


class UtcField(DateTimeLocalField):
    """A moment, entered and shown in UTC."""

    data: Any

    def process_formdata(self, valuelist: list[str]) -> None:
        super().process_formdata(valuelist)
        if isinstance(self.data, datetime):
            self.data = self.data.replace(tzinfo=UTC)


def clean_text(form: Any, field: Field) -> None:
    """Refuse text that PostgreSQL cannot hold."""
    if not storable(field.data):
        raise ValidationError(_("This text holds characters that cannot be kept."))


def finite(form: Any, field: Field) -> None:
    """Refuse NaN and the infinities, which Decimal knows and a table would keep."""
    if field.data is not None and not field.data.is_finite():
        raise ValidationError(field.gettext("Not a valid decimal value."))


def form_of(bound: BoundResource, keys: tuple[str, ...], *, search: bool = False) -> type[DynamicForm]:
    """The form over the columns ``keys``; a search form requires nothing."""
    columns = bound.resource.columns_of_model
    made = {key: field_of(bound, key, columns[key], search=search) for key in keys}
    name = "".join(word.title() for word in bound.key.replace(".", "_").split("_"))
    found: type[DynamicForm] = type(f"{name}Form", (DynamicForm,), made)
    return found


def canonical(kind: AddressColumn) -> Any:
    """A check of the form that puts an address into the form it is kept in."""

    def check(form: Any, field: Any) -> None:
        try:
            field.data = kind.format.check(field.data)
        except InvalidAddress as problem:
            raise validators.ValidationError(gettext(problem.reason)) from None

    return check


def field_of(bound: BoundResource, key: str, column: Any, *, search: bool) -> Any:
    """The form field of a column."""
    kind = column.type
    help_text = bound.resource.help.get(key) or column.info.get("help") or ""
    options: dict[str, Any] = {"label": lazy_gettext(label_of(bound, key))}
    options["description"] = lazy_gettext(help_text) if help_text else ""
    optional = column.nullable or column.default is not None or column.server_default is not None
    checks: list[Any] = [validators.Optional() if optional or search else validators.InputRequired()]
    if key == TRANSLATIONS and bound.resource.translated:
        return TranslationsField(bound=bound, **options)
    if upload := bound.resource.files.get(key):
        purpose = f"{bound.plugin}.{upload.name}"
        return FileRefField(validators=checks, upload=upload, purpose=purpose, **options)
    if offered := bound.resource.choices.get(key):
        first = [("", "—")] if search or column.nullable else []
        return SelectField(
            choices=lambda: [*first, *offered(g.session)], validators=checks, filters=[lambda v: v or None], **options
        )
    if choices := choices_of(bound, key, column):
        empty = [("", "—")] if column.nullable else []
        field = StateField if key in bound.resource.initial_states else SelectField
        begins = (
            None if search or column.default is None or not column.default.is_scalar else value_of(column.default.arg)
        )
        return field(
            choices=[*empty, *choices], default=begins, validators=checks, filters=[lambda v: v or None], **options
        )
    if isinstance(kind, sa.String):
        if isinstance(kind, AddressColumn):
            checks.append(canonical(kind))
        if kind.length:
            checks.append(validators.Length(max=kind.length))
        text_field = StringField if kind.length and kind.length <= LONG else TextAreaField
        return text_field(
            validators=[*checks, clean_text], filters=[lambda v: v or None] if column.nullable else [], **options
        )
    if isinstance(kind, Units):
        return UnitsField(validators=[*checks, validators.NumberRange(-BIGGEST, BIGGEST)], **options)
    if isinstance(kind, sa.Uuid):
        if column.foreign_keys:
            return ReferenceField(validators=checks, bound=bound, column=key, **options)
        return UuidField(validators=checks, **options)
    if isinstance(kind, sa.Boolean):
        default = (
            bool(getattr(column.default, "arg", False)) or str(getattr(column.server_default, "arg", "")) == "true"
        )
        return BooleanField(default=default, validators=[], **options)
    if isinstance(kind, sa.Integer):
        most = 2**63 - 1 if isinstance(kind, sa.BigInteger) else 2**31 - 1
        given = column.default.arg if column.default is not None and column.default.is_scalar else None
        return IntegerField(validators=[*checks, validators.NumberRange(-most, most)], default=given, **options)
    if isinstance(kind, sa.DateTime):
        formats = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S"]
        return UtcField(format=formats, validators=checks, **options)
    if isinstance(kind, sa.Date):
        return DateField(validators=checks, **options)
    if isinstance(kind, sa.Numeric):
        return DecimalField(validators=[*checks, finite], **options)
    if isinstance(kind, (sa.JSON, JSONB)):
        return JsonField(validators=[*checks, clean_text], **options)
    return StringField(validators=checks, **options)


def offer(form: Any, bound: BoundResource, who: Actor, record: Any = None) -> Any:
    """Let the states of ``form`` offer what ``who`` can make of ``record`` without a reason, or where a new one can
    begin, and its files show those of the record; returns the form."""
    for column in bound.resource.files:
        if column in form and record is not None:
            form[column].current = getattr(record, column)
    for column, initial in bound.resource.initial_states.items():
        if column not in form:
            continue
        if record is None:
            form[column].offered = initial
            continue
        reached = [one.to for one in bound.possible(who, record) if one.column == column and not one.reason]
        form[column].offered = {value_of(getattr(record, column)), *reached}
    return form


def choices_of(bound: BoundResource, key: str, column: Any) -> list[tuple[str, Any]]:
    """The values of an enumerated column: of its type, its ``info["choices"]`` or the resource's ``states``."""
    values = getattr(column.type, "enums", None) or column.info.get("choices") or bound.resource.states.get(key) or ()
    return [(value, lazy_gettext(words(value))) for value in values]
