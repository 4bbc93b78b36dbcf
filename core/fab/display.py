"""How values of a generated list or record are shown: members by name, states as badges."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

from flask import g, get_template_attribute
from flask_babel import gettext
from markupsafe import Markup, escape
from sqlalchemy import select

from core.content_languages import text_for_reader
from core.db.base import names_member
from core.gateway.request import actor, platform
from core.lists.lookup import named, target_of
from core.members.models import Member
from core.resources.file_fields import shown
from core.resources.problems import states_of
from core.resources.resource import BoundResource
from core.wording import words as shown_words

# The class of a state badge by the colour words of Resource.states.
TONES = {"green": "ok", "yellow": "wait", "red": "bad", "blue": "info", "purple": "info", "gray": "off"}


def name_members(
    bound: BoundResource, rows: Sequence[dict[str, Any]], plain: str = "", names: Mapping[UUID, str] | None = None
) -> None:
    """Show members, and records of other resources, by name instead of id; the column ``plain`` without a link.

    ``names`` by member id where they are known; else they are read, in one query for all rows.
    """
    _name_records(bound, rows, plain)
    columns = [key for key, column in bound.resource.columns_of_model.items() if names_member(column)]
    ids = {row[key] for row in rows for key in columns if row.get(key) is not None}
    if not ids:
        return
    if names is None:
        query = select(Member.id, Member.display_name).where(Member.id.in_(ids))
        names = dict(g.session.execute(query).tuples().all())
    chip = get_template_attribute("guildhall/ui.html", "member")
    linked = actor().can("core:member:show")
    for row in rows:
        for key in columns:
            if (member_id := row.get(key)) is not None and member_id in names:
                row[key] = chip(names[member_id], f"/admin/members/{member_id}" if linked and key != plain else "")


def _name_records(bound: BoundResource, rows: Sequence[dict[str, Any]], plain: str) -> None:
    """Show what the reader may know of by its name, each column by one query for all rows."""
    for key, column in bound.resource.columns_of_model.items():
        if not column.foreign_keys or names_member(column) or key in bound.resource.choices:
            continue
        keys = {row[key] for row in rows if row.get(key) is not None}
        target = target_of(platform().registry, actor(), bound, key) if keys else None
        if target is None:
            continue
        found = named(g.session, actor(), target, keys)
        leads = "show" in target.resource.actions and not target.resource.page and key != plain
        for row in rows:
            if (name := found.get(str(row.get(key)))) is not None:
                path = f"{target.page_path}/show/{row[key]}"
                row[key] = Markup('<a href="{}">{}</a>').format(path, name) if leads else name


def say(bound: BoundResource, rows: Sequence[dict[str, Any]], records: Sequence[Any]) -> None:
    """Show values of fixed lists in words, and what the resource says in place of its columns' values."""
    for key in bound.resource.columns_of_model:
        if values := () if key in bound.resource.states else states_of(bound.resource, key):
            for row in rows:
                if row.get(key) in values:
                    row[key] = gettext(shown_words(row[key]))
    if bound.resource.display is None:
        return
    for row, said in zip(rows, bound.resource.display(g.session, records), strict=True):
        row.update({key: value for key, value in said.items() if key in row})


def translate(bound: BoundResource, rows: Sequence[dict[str, Any]], records: Sequence[Any]) -> None:
    """Show texts in the reader's language where there are such."""
    for row, record in zip(rows, records, strict=True):
        row.update({key: text_for_reader(record, key) for key in bound.resource.translated if key in row})


def show_files(
    bound: BoundResource, rows: Sequence[dict[str, Any]], records: Sequence[Any], small: bool = False
) -> None:
    """Show files as a picture or by their name, each with a link; ``small`` fits a row of a list."""
    if not bound.resource.files:
        return
    chip = get_template_attribute("guildhall/file.html", "file")
    for row, record in zip(rows, records, strict=True):
        row.update({key: chip(shown(record, key), small) for key in bound.resource.files if key in row})


def state(words: Mapping[str, str]) -> Callable[[Any], Markup]:
    """A formatter that shows a state as a tinted badge; ``words`` gives a colour for each value."""

    def show(value: Any) -> Markup:
        text = str(value or "")
        tone = TONES.get(words.get(text, "gray"), "off")
        label = gettext(shown_words(text)) if text else "—"
        return Markup('<span class="gh-state is-{}">{}</span>').format(tone, escape(label))

    return show
