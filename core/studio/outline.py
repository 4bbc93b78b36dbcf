"""A design as the form shows it: every list and mapping in order, every value as text or a yes.

It takes what the text holds though it be wrong, so that a half-made design can be seen; only what has another shape
than the form knows cannot be shown, and is mended in the text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from core.yamlplugin.schema import FileField, ResourceSpec

ACTIONS: tuple[str, ...] = ResourceSpec.model_fields["actions"].default
ALLOWED: tuple[str, ...] = FileField.model_fields["allowed"].default
ROLES = ("User", "Moderator", "Service")


class Odd(Exception):
    """Something has a shape that the form does not know."""


def outline(value: Any) -> dict[str, Any] | None:
    """What the form shows of a design's values; None where it cannot."""
    try:
        return _plugin(_mapping(value))
    except Odd:
        return None


def expanded(grants: Sequence[str], known: Mapping[str, Sequence[str]], plugin: str) -> set[str]:
    """What a role's grants mean, as ``thing:action``; ``known`` are the actions of each thing of the plugin."""
    found = set()
    for grant in grants:
        owner, _, rest = grant.partition(":")
        thing, _, action = rest.partition(":")
        if owner == plugin:
            found |= {
                f"{one}:{act}" for one in known for act in known[one] if thing in (one, "*") and action in (act, "*")
            }
    return found


def grantable(value: Mapping[str, Any]) -> dict[str, list[str]]:
    """The actions that can be granted, by resource and by what further permissions are about."""
    plugin = _text(value.get("name"))
    known = {
        name: [_text(one) for one in _sequence(_mapping(resource).get("actions")) or ACTIONS]
        for name, resource in _mapping(value.get("resources")).items()
    }
    for permission in _mapping(value.get("permissions")):
        owner, _, rest = permission.partition(":")
        thing, _, action = rest.partition(":")
        if owner == plugin and action and action not in known.setdefault(thing, []):
            known[thing].append(action)
    return known


def _plugin(value: Mapping[str, Any]) -> dict[str, Any]:
    known = grantable(value)
    name = _text(value.get("name"))
    roles = {
        str(role): [_text(one) for one in _sequence(grants)] for role, grants in _mapping(value.get("roles")).items()
    }
    return {
        **{key: _text(value.get(key)) for key in ("name", "version", "label", "description", "icon")},
        "settings": [_setting(key, _mapping(one)) for key, one in _mapping(value.get("settings")).items()],
        "resources": [_resource(key, _mapping(one)) for key, one in _mapping(value.get("resources")).items()],
        "permissions": [{"name": key, "label": _text(one)} for key, one in _mapping(value.get("permissions")).items()],
        "grantable": known,
        "roles": [
            {"name": role, "grants": sorted(expanded(roles.get(role, ()), known, name))}
            for role in dict.fromkeys((*ROLES, *roles))
        ],
    }


def _resource(name: str, value: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "former": _text(value.get("was")),
        **{key: _text(value.get(key)) for key in ("label", "label_plural", "icon", "title", "owner", "order")},
        **{key: _flag(value.get(key)) for key in ("few", "soft_delete")},
        "columns": [_text(one) for one in _sequence(value.get("columns"))],
        "fields": [_field(key, _mapping(one)) for key, one in _mapping(value.get("fields")).items()],
        "sections": [
            {
                **{key: _text(one.get(key)) for key in ("title", "help")},
                "fields": [_text(name) for name in _sequence(one.get("fields"))],
                "folded": _flag(one.get("folded")),
            }
            for one in map(_mapping, _sequence(value.get("sections")))
        ],
        "inline": [
            {key: _text(one.get(key)) for key in ("resource", "by", "title")}
            for one in map(_mapping, _sequence(value.get("inline")))
        ],
        "computed": [
            {"name": key, **{what: _text(_mapping(one).get(what)) for what in ("run", "label", "type", "help")}}
            for key, one in _mapping(value.get("computed")).items()
        ],
        "operations": [
            {
                **{key: _text(one.get(key)) for key in ("name", "label", "run", "permission", "icon", "help")},
                "danger": _flag(one.get("danger")),
            }
            for one in map(_mapping, _sequence(value.get("operations")))
        ],
        "transitions": [
            {
                **{key: _text(one.get(key)) for key in ("field", "to", "permission", "label")},
                "from": [_text(name) for name in _sequence(one.get("from"))],
                "reason": _flag(one.get("reason")),
            }
            for one in map(_mapping, _sequence(value.get("transitions")))
        ],
    }


def _field(name: str, value: Mapping[str, Any]) -> dict[str, Any]:
    texts = ("type", "label", "help", "default", "max_length", "digits", "places", "to", "on_delete", "chain")
    flags = ("required", "unique", "filter", "search", "bulk", "hidden", "translated")
    colours = _mapping(value.get("colours"))
    return {
        "name": name,
        "former": _text(value.get("was")),
        **{key: _text(value.get(key)) for key in (*texts, "max_bytes")},
        "allowed": [_text(one) for one in _sequence(value.get("allowed"))] or list(ALLOWED),
        **{key: _flag(value.get(key)) for key in flags},
        "values": [{"name": _text(one), "colour": _text(colours.get(one))} for one in _sequence(value.get("values"))],
    }


def _setting(name: str, value: Mapping[str, Any]) -> dict[str, Any]:
    texts = ("type", "label", "help", "default", "max_length", "min", "max")
    values = ", ".join(_text(one) for one in _sequence(value.get("values")))
    return {"name": name, **{key: _text(value.get(key)) for key in texts}, "values": values}


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (str, int, Decimal)):
        return str(value)
    raise Odd()


def _flag(value: Any) -> bool:
    if value is None or isinstance(value, (bool, str, int)):
        return value is True
    raise Odd()


def _mapping(value: Any) -> Mapping[str, Any]:
    if value is None:
        return {}
    if isinstance(value, dict):
        return value
    raise Odd()


def _sequence(value: Any) -> Sequence[Any]:
    if value is None:
        return ()
    if isinstance(value, list):
        return value
    raise Odd()
