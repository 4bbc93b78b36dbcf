"""Plugin settings: typed, strict, changed by admins while Guildhall runs.

Environment (``GUILDHALL_SETTING_<PLUGIN>__<NAME>``, shown locked) > database > default. Every process sees a
change within a second, by the generation row.
"""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from sqlalchemy import String, delete, select
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from core import generation
from core.actor import Actor
from core.audit.trail import record
from core.db.base import Model
from core.errors import Invalid


class Settings(BaseModel):
    """Base of a plugin's settings. Each field has a default and a ``description`` for the form."""

    model_config = ConfigDict(frozen=True, extra="forbid")


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
        rows = session.execute(select(SettingRow.name, SettingRow.value).where(SettingRow.plugin == plugin))
        known = {name: value for name, value in rows if name in settings.model_fields}
        kept = settings(**{**known, **registry.locked_settings.get(plugin, {})})
        generation.keep(session, ("settings", plugin), kept)
    return kept


def write(session: Session, actor: Actor, settings: type[S], changes: dict[str, Any]) -> S:
    """Change settings. Raises Invalid with every problem by field; audited."""
    registry = session.info["registry"]
    plugin = registry.plugin_of_settings(settings)
    locked = registry.locked_settings.get(plugin, {})
    before = read(session, settings)
    try:
        after = settings(**{**before.model_dump(), **changes})
    except ValidationError as problem:
        raise Invalid({str(e["loc"][0]) if e["loc"] else "": [e["msg"]] for e in problem.errors()}) from None
    stored = after.model_dump(mode="json")
    difference = {}
    for name, value in stored.items():
        if getattr(before, name) == getattr(after, name) or name in locked:
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
