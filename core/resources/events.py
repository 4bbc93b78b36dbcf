"""What is published of the records of every resource, under names of its own: ``<plugin>.<name>.created`` and so on."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from core.events.event import Event
from core.resources.declaration import Resource


class ResourceCreated(Event):
    """A record of a resource was created. Not published by imports, which publish one batch event."""

    id: UUID | str


class ResourceUpdated(Event):
    """A record was changed. Not published when nothing differs."""

    id: UUID | str
    fields: tuple[str, ...]


class ResourceDeleted(Event):
    """A record was deleted; with ``soft_delete`` it can be restored. Not published when it is taken away for good."""

    id: UUID | str


class ResourceRestored(Event):
    """A deleted record was restored, as it was. Only of resources with ``soft_delete``."""

    id: UUID | str


class ResourceTransitioned(Event):
    """A state changed by a declared transition, beside the event that the record was changed.

    Not published for the state a record begins in, nor for what a service of the plugin changes by itself.
    """

    id: UUID | str
    column: str
    transition: str
    from_state: str
    to_state: str


class ResourceImported(Event):
    """Records came in by an import: the keys of those that it ``created`` and ``updated``, a chunk of rows an event.

    The events of single records are not published beside it. Not published by a dry run, nor when an import is undone,
    which publishes what deleting and changing publish.
    """

    import_id: UUID
    created: tuple[UUID | int | str, ...] = ()
    updated: tuple[UUID | int | str, ...] = ()


def events_of(key: str, resource: Resource) -> dict[str, Any]:
    """The events of the resource ``<plugin>.<name>``, by what they tell of: create, update, delete, import,
    transition, restore."""
    if not resource.events:
        return {}
    kinds: dict[str, type[Event]] = {"create": ResourceCreated, "update": ResourceUpdated, "delete": ResourceDeleted}
    kinds = {action: kind for action, kind in kinds.items() if action in resource.actions}
    if "create" in resource.actions:
        kinds["import"] = ResourceImported
    if resource.transitions:
        kinds["transition"] = ResourceTransitioned
    if resource.soft_delete:
        kinds["restore"] = ResourceRestored
    return {action: _named(key, kind) for action, kind in kinds.items()}


def _named(key: str, kind: type[Event]) -> Any:
    verb = kind.__name__.removeprefix("Resource").lower()
    name = "".join(word.title() for word in key.replace(".", "_").split("_"))
    body = {"event_name": f"{key}.{verb}", "__doc__": kind.__doc__, "__module__": __name__}
    return type(f"{name}{verb.title()}", (kind,), body)
