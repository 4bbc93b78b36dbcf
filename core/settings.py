"""Plugin settings: typed, strict, changed by admins while Guildhall runs.

Environment (``GUILDHALL_SETTING_<PLUGIN>__<NAME>``, shown locked) > database > default. Every process sees a
change within a second, by the generation row.
"""

from __future__ import annotations

from typing import Any, TypeVar

import structlog
from pydantic import BaseModel, ConfigDict, ValidationError
from sqlalchemy import String, delete, select
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from core import generation
from core.actor import Actor
from core.audit.trail import record
from core.db import locks
from core.db.base import Model
from core.errors import Invalid
from core.i18n import _

log = structlog.get_logger("settings")


class Settings(BaseModel):
    """Base of a plugin's settings. Each field has a default and a ``description`` for the form."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def problems_for(self, actor: Actor) -> dict[str, list[str]]:
        """What keeps ``actor`` from saving these values, by field; beyond what is wrong for everybody."""
        return {}


class SettingRow(Model):
    __tablename__ = "core_setting"

    plugin: Mapped[str] = mapped_column(String(60), primary_key=True)
    name: Mapped[str] = mapped_column(String(80), primary_key=True)
    value: Mapped[Any] = mapped_column(JSONB)


S = TypeVar("S", bound=Settings)


def read(session: Session, settings: type[S]) -> S:
    """The values in force of a plugin's settings class."""
    registry = session.info["registry"]
    plugin = registry.plugin_of_settings(settings)
    kept: S | None = generation.cached(session, ("settings", plugin))
    if kept is None:
        kept = _stored(session, settings, plugin)
        generation.keep(session, ("settings", plugin), kept)
    return kept


def _stored(session: Session, settings: type[S], plugin: str) -> S:
    """The values in force, from the table itself. A kept value that the plugin no longer takes is its default again."""
    locked = session.info["registry"].locked_settings.get(plugin, {})
    rows = session.execute(select(SettingRow.name, SettingRow.value).where(SettingRow.plugin == plugin))
    known = {name: value for name, value in rows if name in settings.model_fields}
    try:
        return settings(**{**known, **locked})
    except ValidationError as problem:
        wrong = {str(error["loc"][0]) for error in problem.errors() if error["loc"]}
        log.warning("kept settings do not fit", plugin=plugin, settings=sorted(wrong), error=str(problem))
        fitting = {name: value for name, value in known.items() if wrong and name not in wrong}
        return settings(**{**fitting, **locked})


def problems(session: Session, settings: type[S]) -> tuple[dict[str, str], list[str]]:
    """What is wrong with the values in the table, by setting, and names of settings that there are no more.

    The default holds where a value is wrong.
    """
    registry = session.info["registry"]
    plugin = registry.plugin_of_settings(settings)
    rows = select(SettingRow.name, SettingRow.value).where(SettingRow.plugin == plugin)
    kept: dict[str, Any] = dict(session.execute(rows).tuples().all())
    known = {name: value for name, value in kept.items() if name in settings.model_fields}
    wrong: dict[str, str] = {}
    try:
        settings(**{**known, **registry.locked_settings.get(plugin, {})})
    except ValidationError as problem:
        wrong = {str(error["loc"][0]) if error["loc"] else "": error["msg"] for error in problem.errors()}
    return wrong, sorted(kept.keys() - settings.model_fields.keys())


def write(session: Session, actor: Actor, settings: type[S], changes: dict[str, Any]) -> S:
    """Change settings. Raises Invalid with every problem by field, a locked one among them; audited."""
    registry = session.info["registry"]
    plugin = registry.plugin_of_settings(settings)
    locked = registry.locked_settings.get(plugin, {})
    locks.advisory(session, f"core.settings:{plugin}")
    before = _stored(session, settings, plugin)
    try:
        after = settings(**{**before.model_dump(), **changes})
    except ValidationError as problem:
        raise Invalid({str(e["loc"][0]) if e["loc"] else "": [e["msg"]] for e in problem.errors()}) from None
    if problems := after.problems_for(actor) if after != before else {}:
        raise Invalid(problems)
    if fixed := [name for name in locked if getattr(before, name) != getattr(after, name)]:
        raise Invalid({name: [_("The environment sets this; it cannot be changed here.")] for name in fixed})
    stored = after.model_dump(mode="json")
    difference = {}
    for name, value in stored.items():
        if getattr(before, name) == getattr(after, name):
            continue
        difference[name] = [before.model_dump(mode="json")[name], value]
        if value == settings.model_fields[name].get_default(call_default_factory=True):
            session.execute(delete(SettingRow).where(SettingRow.plugin == plugin, SettingRow.name == name))
            continue
        row = insert(SettingRow).values(plugin=plugin, name=name, value=value)
        session.execute(row.on_conflict_do_update(index_elements=["plugin", "name"], set_={"value": value}))
    if difference:
        record(session, actor, "core.settings.changed", subject_type="settings", subject_id=plugin, changes=difference)
        generation.advance(session)
    return after
