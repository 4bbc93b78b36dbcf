"""The parts of a form and of a record page, as FAB's fieldsets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask_babel import lazy_gettext

from core.i18n import _
from core.resources.resource import Resource, Section

REST = Section(title=_("More"), fields=())


def fieldsets(resource: Resource, keys: Sequence[str]) -> list[tuple[Any, dict[str, Any]]]:
    """The sections with those of ``keys`` that they name, empty ones left out; the others come last."""
    named = {key for section in resource.sections for key in section.fields}
    parts = [(section, [key for key in section.fields if key in keys]) for section in resource.sections]
    parts.append((REST, [key for key in keys if key not in named]))
    return [
        (
            lazy_gettext(section.title),
            {
                "fields": fields,
                "expanded": not section.folded,
                "help": lazy_gettext(section.help) if section.help else "",
            },
        )
        for section, fields in parts
        if fields
    ]
