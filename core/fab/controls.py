"""The filter controls of a list page: what each says is active, and what it offers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from flask import g, url_for
from flask_babel import format_date, format_datetime, gettext

from core.fab.forms import choices_of, label_of
from core.gateway.request import actor, platform
from core.lists.conditions import EMPTY, EQUAL, SPANS, kind_of, operators, typed_value
from core.lists.lookup import named, target_of
from core.lists.state import Filter, ListState


def controls(
    state: ListState, address: Callable[[ListState], str], members: Mapping[UUID, str]
) -> list[dict[str, Any]]:
    """One control for each filter column, in the declared order; ``address`` is the page of a state.

    ``members`` are the names of those that the list shows anyway.
    """
    return [_control(state, key, address, members) for key in dict.fromkeys(state.bound.resource.filters)]


def _control(
    state: ListState, key: str, address: Callable[[ListState], str], members: Mapping[UUID, str]
) -> dict[str, Any]:
    bound = state.bound
    kind, column = kind_of(bound, key), bound.resource.columns_known[key]
    active = [one for one in state.filters if one.column == key]
    control: dict[str, Any] = {
        "column": key,
        "label": gettext(label_of(bound, key)),
        "kind": kind,
        "active": bool(active),
        "clear_url": address(state.without(*active)),
        "names": {one.code: f"_flt_{number}_{key}" for number, one in enumerate(operators(bound, key))},
        "values": {one.operator.code: list(one.values) for one in active},
        "step": "1" if getattr(column.type, "scale", 0) in (0, None) else "any",
    }
    words: Mapping[str, str] = {}
    if kind == "choice":
        offered = bound.resource.choices.get(key)
        control["choices"] = (
            [(str(value), str(label)) for value, label in offered(g.session)]
            if offered
            else [(str(value), str(label)) for value, label in choices_of(bound, key, column)]
        )
        words = dict(control["choices"])
    elif kind == "bool":
        words = {"y": gettext("Yes"), "true": gettext("Yes"), "1": gettext("Yes")}
        words = {**words, **dict.fromkeys(("n", "false", "0"), gettext("No"))}
        control["given"] = "y" if control["values"].get("eq", [""])[0] in ("y", "true", "1") else "n"
    elif kind == "date":
        words = {word: gettext(text) for word, text in SPANS.items()}
        control["spans"] = list(words.items())
        words = {
            **words,
            **{value: _day(state, one, value) for one in active for value in one.values if value not in SPANS},
        }
    elif kind == "reference":
        words = _referred(state, control, active, members)
    control["summary"] = ", ".join(_told(one, words) for one in active)
    shown = _shown(control)
    control["kept"] = [(one.name, value) for one in active if one.operator.code not in shown for value in one.values]
    return control


def _shown(control: dict[str, Any]) -> set[str]:
    """The operators that the control has a field for; what else is active is carried along unseen."""
    return {
        "choice": {"eq", "empty"},
        "bool": {"eq", "empty"},
        "text": {"sw", "eq", "empty"},
        "date": {"from", "to", "empty"},
        "reference": {"eq", "empty"},
        "number": {"gte", "lte", "eq", "empty"},
    }[control["kind"]]


def _referred(
    state: ListState, control: dict[str, Any], active: list[Filter], members: Mapping[UUID, str]
) -> Mapping[str, str]:
    """Let the control search what the column refers to; the names of what is chosen."""
    target = target_of(platform().registry, actor(), state.bound, control["column"])
    if target is None:
        return {}
    control["lookup"] = url_for("core_lists_pages.find_get", resource=state.bound.key, column=control["column"])
    chosen = [value for one in active if one.operator is EQUAL for value in one.values]
    shown = {str(key): name for key, name in members.items()} if target.key == "core.member" else {}
    names = {value: shown[value] for value in chosen if value in shown}
    if left := [value for value in chosen if value not in names]:
        names |= named(g.session, actor(), target, left)
    control["chosen"] = [(value, names.get(value, value)) for value in chosen]
    return names


def _told(one: Filter, words: Mapping[str, str]) -> str:
    """A filter in the reader's words, without the column."""
    if one.operator is EMPTY:
        return gettext("is empty") if one.values[0] in ("y", "true", "1") else gettext("is not empty")
    values = ", ".join(words.get(value, value) for value in one.values)
    plain = one.operator is EQUAL or (one.operator.code == "from" and one.values[0] in SPANS)
    return values if plain else f"{gettext(one.operator.word)} {values}"


def _day(state: ListState, one: Filter, raw: str) -> str:
    try:
        value = typed_value(state.bound.resource.attribute(one.column), raw)
    except (ValueError, OverflowError):
        return raw
    told = format_date(value, "medium") if len(raw) <= 10 else format_datetime(value, "medium")
    return str(told)
