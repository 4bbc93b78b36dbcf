"""The life of a plugin: which states there are, and turning one on and off while Guildhall runs."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import String, Text, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from core import generation
from core.actor import Actor
from core.audit.trail import record
from core.db.base import CreatedAt, Model
from core.db.session import RING
from core.errors import Conflict, NotFound
from core.i18n import _


class State(StrEnum):
    ENABLED = "enabled"
    DISABLED = "disabled"
    INCOMPATIBLE = "incompatible"
    MISSING_DEPENDENCY = "missing-dependency"
    FAILED_LOAD = "failed-load"
    FAILED_MIGRATION = "failed-migration"
    QUARANTINED = "quarantined"


class PluginRow(Model):
    """An installed plugin: whether an admin has it on, how its last start went, why it is in quarantine.

    ``seeded`` names the code on which its seed ended well.
    """

    __tablename__ = "core_plugin"

    name: Mapped[str] = mapped_column(String(60), primary_key=True)
    version: Mapped[str] = mapped_column(String(40))
    enabled: Mapped[bool] = mapped_column(server_default="true")
    reason: Mapped[str] = mapped_column(Text, server_default="")
    quarantined: Mapped[str] = mapped_column(Text, server_default="", default="")
    traceback: Mapped[str] = mapped_column(Text, server_default="", default="")
    seeded: Mapped[str] = mapped_column(String(64), server_default="", default="")
    seen_at: Mapped[CreatedAt]


class ParkedRevision(Model):
    """The migration state of a plugin that is no longer installed, kept for its return."""

    __tablename__ = "core_parked_revision"

    revision: Mapped[str] = mapped_column(String(64), primary_key=True)


class PluginUnknown(NotFound):
    code = "PLUGIN_UNKNOWN"
    sentence = _("No plugin called {name} was found. Run guildhall plugin list to see those that were.")


class PluginNeeded(Conflict):
    code = "PLUGIN_NEEDED"
    sentence = _("{plugin} cannot be disabled while it is needed by: {dependants}.")


class PluginNotReady(Conflict):
    code = "PLUGIN_NOT_READY"
    sentence = _("{plugin} cannot be enabled: {reason}")


def disabled(session: Session) -> frozenset[str]:
    """Names of the plugins that are off: by an admin, a failed migration or quarantine; at most a second old."""
    names: frozenset[str] | None = generation.cached(session, "disabled")
    if names is None:
        off = or_(PluginRow.enabled.is_(False), PluginRow.reason != "", PluginRow.quarantined != "")
        names = frozenset(session.scalars(select(PluginRow.name).where(off)))
        generation.keep(session, "disabled", names)
    return names


def set_enabled(session: Session, actor: Actor, name: str, enabled: bool, reason: str | None = None) -> None:
    """Turn a loaded plugin on or off, in every process within a second; on ends its quarantine too. Audited.

    Raises PluginUnknown; PluginNeeded while an enabled plugin requires it; PluginNotReady while one that it requires
    is off.
    """
    registry = session.info["registry"]
    if name not in registry.plugins or name == "core":
        raise PluginUnknown(name=name)
    session.execute(select(PluginRow).order_by(PluginRow.name).with_for_update())
    off = set(session.scalars(select(PluginRow.name).where(PluginRow.enabled.is_(False))))
    held = set(session.scalars(select(PluginRow.name).where(PluginRow.quarantined != "")))
    if (name not in off) == enabled and not (enabled and name in held):
        return
    if enabled:
        if waiting := sorted(off & registry.plugins[name].requires.keys()):
            raise PluginNotReady(plugin=name, reason=f"{', '.join(waiting)} is disabled.")
    elif dependants := sorted(
        other.name for other in registry.plugins.values() if name in other.requires and other.name not in off
    ):
        raise PluginNeeded(plugin=name, dependants=", ".join(dependants))
    statement = insert(PluginRow).values(name=name, version=registry.plugins[name].version, enabled=enabled)
    changed = {"enabled": enabled, **({"quarantined": "", "traceback": ""} if enabled else {})}
    session.execute(statement.on_conflict_do_update(index_elements=["name"], set_=changed))
    session.info[RING] = True  # what waited is due
    act = f"core.plugin.{'enabled' if enabled else 'disabled'}"
    record(session, actor, act, subject_type="plugin", subject_id=name, reason=reason)
    generation.advance(session)
