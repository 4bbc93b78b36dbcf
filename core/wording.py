"""Labels that follow from names of columns, states, settings and events. Extraction and pages ask here, and agree."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.resources.resource import Resource


def words(value: object) -> str:
    """A state or another value of a fixed list, as it is shown, in English: ``failed_load`` is ``Failed load``."""
    return str(value).replace("_", " ").replace("-", " ").capitalize()


def column_label(resource: Resource, key: str) -> str:
    """A column's label, in English."""
    computed = next((one.label for one in resource.computed if one.name == key), "")
    return resource.labels.get(key) or computed or key.removesuffix("_id").replace("_", " ").capitalize()


def field_label(name: str, title: str | None = None) -> str:
    """A setting's label, in English."""
    return title or name.replace("_", " ").capitalize()


def event_label(name: str) -> str:
    """What an event is called beside its name, in English: ``wallet.balance.low`` is ``Balance low``."""
    return words(name.split(".", 1)[1].replace(".", "_"))


def event_about(kind: type[object]) -> str:
    """What an event means, in English: the first paragraph of its docstring, without the marks of code."""
    return " ".join((kind.__doc__ or "").strip().split("\n\n")[0].split()).replace("``", "")
