"""What a form offers: the events, their fields, what is known of a member, the actions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum
from typing import Any, Literal, get_args, get_origin
from uuid import UUID

from sqlalchemy.orm import Session

from core import lifecycle
from core.automations import facts
from core.automations.action import Action
from core.i18n import _
from core.members.models import STATUSES, TIERS
from core.wording import event_about, event_label, field_label


@dataclass(frozen=True)
class Choice:
    """Something to choose, with what it is called."""

    value: str
    label: str
    help: str = ""
    group: str = ""


@dataclass(frozen=True)
class FieldChoice:
    """A field of a condition or an expression: ``path`` such as ``event.amount``; ``kind`` is ``text``, ``number``,
    ``bool``, ``time``, ``list`` or ``any``; ``options`` are the values it can have, where they are known."""

    path: str
    label: str
    kind: str
    options: tuple[str, ...] = ()
    help: str = ""


def events(session: Session) -> list[Choice]:
    """The events that an automation can start from, of plugins that are on; grouped by plugin."""
    registry, off = session.info["registry"], lifecycle.disabled(session)
    found = []
    for name, kind in registry.events.items():
        plugin = name.split(".")[0]
        if plugin not in off:
            group = registry.plugins[plugin].label
            found.append(Choice(value=name, label=event_label(name), help=event_about(kind), group=group))
    return found


def event_fields(session: Session, event_name: str) -> list[FieldChoice]:
    """The fields ``event.…`` of an event, and ``record.…`` of a record's event. Empty for an event nobody knows."""
    kind = session.info["registry"].events.get(event_name)
    if kind is None:
        return []
    found = []
    for name, field in kind.model_fields.items():
        options = _options(field.annotation)
        label = field_label(name, field.title)
        found.append(FieldChoice(f"event.{name}", label, _kind(field.annotation), options, field.description or ""))
    if "occurred_at" not in kind.model_fields:
        found.append(FieldChoice("event.occurred_at", _("Time of the event"), "time"))
    bound = facts.resource_of(session, event_name)
    if bound is not None:
        columns = bound.resource.columns_of_model
        for name in facts.record_columns(bound):
            options = tuple(str(one) for one in getattr(columns[name].type, "enums", ()))
            label = bound.resource.labels.get(name) or field_label(name, None)
            found.append(FieldChoice(f"record.{name}", label, _column_kind(columns[name]), options))
    return found


def member_fields(session: Session) -> list[FieldChoice]:
    """The fields ``member.…``, those that plugins add among them."""
    known = {"tier": TIERS, "status": STATUSES}
    own = [FieldChoice(f"member.{name}", one.label, one.kind, known.get(name, ())) for name, one in facts.OWN.items()]
    plugins = session.info["registry"].plugins
    added = [
        FieldChoice(f"member.{plugin}.{name}", one.label, one.kind, help=plugins[plugin].label)
        for plugin, fields in facts.fields_of_plugins(session).items()
        for name, one in fields.items()
    ]
    return own + added


def actions(session: Session) -> dict[str, Action]:
    """The actions of plugins that are on, by ``<plugin>.<name>``."""
    off = lifecycle.disabled(session)
    known: dict[str, Action] = session.info["registry"].actions
    return {key: one for key, one in known.items() if key.split(".")[0] not in off}


def member_choices(session: Session, event_name: str) -> list[str]:
    """The fields of an event that can name the member, the usual one first."""
    return list(facts.member_fields(session, event_name))


def action_schema(action: Action) -> dict[str, Any]:
    """The JSON Schema of an action's parameters."""
    return action.form.model_json_schema()


def _kind(annotation: Any) -> str:
    """What kind of value a field of an event holds; an optional one as if it were not."""
    if get_origin(annotation) is not None and type(None) in get_args(annotation):
        left = [one for one in get_args(annotation) if one is not type(None)]
        return _kind(left[0]) if len(left) == 1 else "any"
    if get_origin(annotation) is Literal:
        return "text"
    origin = get_origin(annotation) or annotation
    if not isinstance(origin, type):
        return "any"
    for kinds, name in (
        ((bool,), "bool"),
        ((int, float), "number"),
        ((datetime, date), "time"),
        ((str, UUID, Enum), "text"),
        ((list, tuple, set, frozenset), "list"),
    ):
        if issubclass(origin, kinds):
            return name
    return "any"


def _options(annotation: Any) -> tuple[str, ...]:
    for one in (annotation, *get_args(annotation)):
        if get_origin(one) is Literal:
            return tuple(str(value) for value in get_args(one))
        if isinstance(one, type) and issubclass(one, Enum):
            return tuple(str(member.value) for member in one)
    return ()


def _column_kind(column: Any) -> str:
    try:
        kind = column.type.python_type
    except NotImplementedError:
        return "any"
    if kind is dict:
        return "any"
    return "number" if kind.__name__ == "Decimal" else _kind(kind)
