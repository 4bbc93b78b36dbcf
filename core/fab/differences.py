"""What a record's fields were and are, as its page shows values: names for ids, states, and long texts as a diff."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any

import sqlalchemy as sa
from flask import g, get_template_attribute
from flask_babel import gettext
from markupsafe import Markup, escape

from core.db.base import Model, names_member
from core.errors import PermissionMissing, Unauthenticated
from core.fab.display import state
from core.fab.forms import choices_of
from core.fab.tabs import registry
from core.gateway.request import actor
from core.history.values import Closed
from core.i18n import _
from core.members.models import Member
from core.resources import file_fields
from core.resources.resource import BoundResource
from core.wording import words

LONG = 60
MOST_WORDS, MOST_LINES = 2000, 2000
AROUND = 2  # unchanged lines that are shown before and after a changed one
SAID = {Closed.MASKED: _("Not shown"), Closed.ERASED: _("Erased")}


class Teller:
    """Shows values of one resource's fields. What they refer to is read at once, for all of them."""

    def __init__(self, bound: BoundResource, values: Iterable[tuple[str, Any]]) -> None:
        self.bound = bound
        self.columns = bound.resource.columns_of_model
        values = list(values)
        self._names = _names(self.columns, values)
        self._files = file_fields.past(g.session, bound.plugin, bound.resource.files, values)
        self._file = get_template_attribute("guildhall/file.html", "was")
        self._value = get_template_attribute("guildhall/ui.html", "value")
        self._chip = get_template_attribute("guildhall/ui.html", "member")

    def show(self, key: str, value: Any) -> Any:
        """The value as the record page shows it."""
        if isinstance(value, Closed):
            return Markup('<span class="gh-none">{}</span>').format(gettext(SAID[value]))
        column = self.columns.get(key)
        if column is None or value is None:
            return self._value(value)
        if key in self.bound.resource.files and (known := self._files.get((key, value))) is not None:
            return self._file(known)
        if words := self.bound.resource.states.get(key):
            return state(words)(value)
        if (key, value) in self._names if _is_hashable(value) else False:
            name = self._names[key, value]
            if not names_member(column):
                return name
            return self._chip(name, f"/admin/members/{value}" if actor().can("core:member:show") else "")
        for choice, label in choices_of(self.bound, key, column):
            if choice == value:
                return label
        if isinstance(value, (dict, list)):
            return Markup('<pre class="gh-was">{}</pre>').format(_pretty(value))
        if isinstance(value, str) and ("\n" in value or len(value) > LONG):
            return Markup('<div class="gh-was">{}</div>').format(value)
        return self._value(value, key, "", False)

    def diff(self, key: str, before: Any, after: Any) -> Markup | None:
        """Two long texts or structures as one, with what went and what came; None where showing both says more."""
        if isinstance(before, (dict, list)) and isinstance(after, (dict, list)):
            return _by_line(_pretty(before), _pretty(after), "gh-textdiff is-code")
        if not (isinstance(before, str) and isinstance(after, str)) or key in self.bound.resource.states:
            return None
        if "\n" in before or "\n" in after:
            return _by_line(before, after, "gh-textdiff")
        return _by_word(before, after) if max(len(before), len(after)) > LONG else None


def label_of_table(table: str, resources: Mapping[str, BoundResource]) -> str:
    """What the rows of a table are called, in the reader's language."""
    for bound in resources.values():
        if bound.resource.table == table:
            return str(gettext(bound.label_plural))
    return str(gettext(words(table.partition("_")[2])))


def _names(columns: Mapping[str, Any], values: Iterable[tuple[str, Any]]) -> dict[tuple[str, Any], str]:
    """What the records are called that these values refer to; one statement for each table."""
    wanted: dict[str, dict[str, set[Any]]] = {}
    for key, value in values:
        column = columns.get(key)
        if column is None or value is None or isinstance(value, Closed) or not _is_hashable(value):
            continue
        for foreign in column.foreign_keys:
            if foreign.column.primary_key:
                wanted.setdefault(foreign.column.table.name, {}).setdefault(key, set()).add(value)
    models = {mapper.local_table.name: mapper.class_ for mapper in Model.registry.mappers}  # type: ignore[attr-defined]
    found: dict[tuple[str, Any], str] = {}
    for table, by_key in wanted.items():
        model, ids = models.get(table), set().union(*by_key.values())
        if model is None:
            continue
        primary = sa.inspect(model).primary_key[0]
        if model is Member:
            query = sa.select(Member.id, Member.display_name).where(Member.id.in_(ids))
            called = dict(g.session.execute(query).tuples().all())
        else:
            condition = _seen_by_reader(model)
            if condition is None:
                continue
            rows = g.session.scalars(sa.select(model).where(primary.in_(ids), condition))
            called = {getattr(row, primary.key): str(row) for row in rows}
        for key, keys in by_key.items():
            found |= {(key, one): called[one] for one in keys if one in called and not called[one].startswith("<")}
    return found


def _seen_by_reader(model: Any) -> Any:
    """Which records of ``model`` the reader may know the names of, as a condition; None for not one."""
    for bound in registry().resources.values():
        if bound.resource.model is model:
            try:
                condition = bound.visible(actor(), "show")
            except (PermissionMissing, Unauthenticated):
                return None
            return sa.true() if condition is None else condition
    return sa.true()


def _is_hashable(value: Any) -> bool:
    return not isinstance(value, (dict, list))


def _pretty(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True)


def _by_word(before: str, after: str) -> Markup | None:
    old, new = re.findall(r"\s+|\w+|[^\w\s]", before), re.findall(r"\s+|\w+|[^\w\s]", after)
    if len(old) + len(new) > MOST_WORDS:
        return None
    made = Markup("")
    for tag, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "equal":
            made += escape("".join(old[a:b]))
            continue
        if b > a:
            made += Markup("<del>{}</del>").format("".join(old[a:b]))
        if d > c:
            made += Markup("<ins>{}</ins>").format("".join(new[c:d]))
    return Markup('<div class="gh-textdiff">{}</div>').format(made)


def _by_line(before: str, after: str, kind: str) -> Markup | None:
    old, new = before.splitlines(), after.splitlines()
    if len(old) + len(new) > MOST_LINES:
        return None
    lines: list[Markup] = []
    matched = SequenceMatcher(None, old, new, autojunk=False)
    for number, group in enumerate(matched.get_grouped_opcodes(AROUND)):
        if number:
            lines.append(Markup('<span class="gh-textdiff-gap">⋯</span>'))
        for tag, a, b, c, d in group:
            lines += _lines("span", old[a:b]) if tag == "equal" else _lines("del", old[a:b]) + _lines("ins", new[c:d])
    return Markup('<div class="{}">{}</div>').format(kind, Markup("").join(lines))


def _lines(element: str, texts: Sequence[str]) -> list[Markup]:
    return [Markup(f"<{element}>{{}}</{element}>").format(text or " ") for text in texts]
