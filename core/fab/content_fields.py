"""Fields of a form for what is more than a value: a file, and a record's texts in other languages."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from babel import Locale
from flask import g, get_template_attribute, url_for
from flask_babel import gettext
from sqlalchemy import Text
from wtforms import Field, StringField

from core.errors import Invalid
from core.files.models import StoredFile
from core.files.upload import Upload
from core.gateway.request import actor, platform
from core.lists.lookup import named, target_of
from core.resources import file_fields
from core.resources.resource import BoundResource
from core.rest.body import read_json
from core.wording import column_label


def label_of(bound: BoundResource, key: str) -> str:
    """A column's label, in English."""
    return column_label(bound.resource, key)


class UuidField(StringField):
    """A record's or a member's id."""

    def process_formdata(self, valuelist: list[str]) -> None:
        text = valuelist[0].strip() if valuelist else ""
        try:
            self.data = UUID(text) if text else None
        except ValueError:
            raise ValueError(self.gettext("This is not an id.")) from None


class ReferenceField(UuidField):
    """The id of a record of another resource; who may search that one chooses by name, others give the id."""

    def __init__(self, *arguments: Any, bound: BoundResource, column: str, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._bound, self._column = bound, column

    @property
    def lookup(self) -> str:
        """Where names are searched; nothing where there is nothing to search, or not for this reader."""
        listed = "list" in self._bound.resource.actions and actor().can(self._bound.permission("list"))
        if not listed or target_of(platform().registry, actor(), self._bound, self._column) is None:
            return ""
        return url_for("core_lists_pages.find_get", resource=self._bound.key, column=self._column)

    @property
    def shown(self) -> str:
        """What the record is called, as far as this reader may know of it."""
        target = target_of(platform().registry, actor(), self._bound, self._column)
        return named(g.session, actor(), target, [self.data]).get(str(self.data), "") if target and self.data else ""


class FileWidget:
    """The file there is, a field for another one, and whether it is to go."""

    guildhall = True

    def __call__(self, field: Any, **_options: Any) -> Any:
        chip = get_template_attribute("guildhall/file.html", "form")
        row = g.session.get(StoredFile, field.data) if field.data else None
        shown = None
        if row is not None and row.state != "deleted":
            mine = row.owner_id == actor().member_id and row.purpose == field.purpose
            shown = file_fields.told(g.session, row) if mine or row.id == field.current else None
        return chip(field, shown, sorted(field.allowed), not field.flags.required)


class FileRefField(UuidField):
    """The id of a file; ``core.fab.uploads`` takes the file itself and enters its id here."""

    widget = FileWidget()

    current: Any = None

    def __init__(self, *arguments: Any, upload: Upload, purpose: str, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.allowed, self.most, self.purpose = upload.allowed, upload.max_bytes, purpose


class TranslationsWidget:
    """An input for each text and language."""

    guildhall = True

    def __call__(self, field: Any, **_options: Any) -> Any:
        return get_template_attribute("guildhall/translations.html", "form")(field, field.languages())


class TranslationsField(Field):
    """Texts by language, ``{fr: {title: …}}``; each is an input of its own, ``<name>-<language>-<column>``."""

    widget = TranslationsWidget()

    def __init__(self, *arguments: Any, bound: BoundResource, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.bound = bound

    def process(self, formdata: Any, *arguments: Any, **options: Any) -> None:
        self.sent = formdata
        super().process(formdata, *arguments, **options)

    def process_formdata(self, valuelist: list[str]) -> None:
        if valuelist:
            try:
                self.data = read_json(valuelist[0])
            except Invalid as problem:
                raise ValueError(problem.fill(gettext(problem.sentence))) from None
            return
        found: dict[str, dict[str, str]] = {}
        for language in platform().catalogues.languages:
            texts = {column: self._given(language, column) for column in self.bound.resource.translated}
            if texts := {column: text for column, text in texts.items() if text}:
                found[language] = texts
        self.data = found

    def _given(self, language: str, column: str) -> str:
        return str(self.sent.get(f"{self.name}-{language}-{column}", "")).replace("\r\n", "\n").strip()

    def _value(self) -> str:
        return json.dumps(self.data or {}, sort_keys=True, ensure_ascii=False)

    def languages(self) -> list[dict[str, Any]]:
        """What the form asks for, by language; what is filled in comes first."""
        held = self.data if isinstance(self.data, dict) else {}
        found = [
            {"code": code, "name": str(Locale.parse(code).get_display_name(code)), "texts": self._texts(held, code)}
            for code in platform().catalogues.languages
        ]
        return sorted(found, key=lambda one: one["code"] not in held)

    def _texts(self, held: dict[str, Any], language: str) -> list[dict[str, Any]]:
        columns, texts = self.bound.resource.columns_of_model, held.get(language)
        return [
            {
                "column": key,
                "label": gettext(label_of(self.bound, key)),
                "value": str(texts.get(key) or "") if isinstance(texts, dict) else "",
                "long": isinstance(columns[key].type, Text),
                "most": getattr(columns[key].type, "length", None) or 1000,
            }
            for key in self.bound.resource.translated
        ]
