"""Purge a plugin: undo its migrations and forget what the core keeps of it. Nothing brings its data back."""

from __future__ import annotations

from sqlalchemy import text

from core import generation, lifecycle
from core.actor import Actor
from core.audit.trail import record
from core.db.branch import Branch
from core.errors import Conflict
from core.events import subscribers
from core.i18n import _
from core.platform import Platform

_TRACES = (
    "DELETE FROM core_setting WHERE plugin = :plugin",
    "DELETE FROM core_bulk_run WHERE split_part(resource, '.', 1) = :plugin",
    "DELETE FROM core_import WHERE split_part(resource, '.', 1) = :plugin",
    "DELETE FROM core_list_choice WHERE split_part(resource, '.', 1) = :plugin",
    "DELETE FROM core_list_view WHERE split_part(resource, '.', 1) = :plugin",
    "DELETE FROM core_schedule WHERE split_part(name, '.', 1) = :plugin",
    "UPDATE core_job SET state = 'cancelled' WHERE state = 'queued' AND split_part(kind, '.', 1) = :plugin",
)


class PluginInUse(Conflict):
    code = "PLUGIN_IN_USE"
    sentence = _("{plugin} cannot be purged while these plugins build on it: {dependants}.")


class PluginStillOn(Conflict):
    code = "PLUGIN_STILL_ON"
    sentence = _("{plugin} is on. Disable it first, so that nothing uses the tables that go.")


class PurgeFailed(Conflict):
    code = "PURGE_FAILED"
    sentence = _("{plugin} was not purged: {reason}")


def purge(platform: Platform, actor: Actor, name: str) -> None:
    """Take out the tables of the disabled plugin ``name``, its settings, schedules and waiting deliveries. Audited.

    Its code must be there, since that undoes the migrations; it stays off until an admin turns it on again. Events
    that it published and the audit trail stay. Raises what ``require_purgeable`` does, and
    PurgeFailed.
    """
    from core.db import migrate  # Alembic takes time to import

    branch = require_purgeable(platform, actor, name)
    outcome = migrate.downgrade(platform.database.url, platform.branches, branch)
    if not outcome.ok:
        raise PurgeFailed(plugin=name, reason=outcome.reason)
    with platform.unit_of_work(actor) as session:
        subscribers.forget(session, name)
        for statement in _TRACES:
            session.execute(text(statement), {"plugin": name})
        record(session, actor, "core.plugin.purged", subject_type="plugin", subject_id=name)
        generation.advance(session)


def require_purgeable(platform: Platform, actor: Actor, name: str) -> Branch:
    """The branch of a plugin that may be purged now. Raises PluginUnknown, PluginInUse, PluginStillOn."""
    branch = next((one for one in platform.branches if one.name == name), None)
    if branch is None:
        raise lifecycle.PluginUnknown(name=name)
    if dependants := sorted(one.name for one in platform.branches if name in one.requires):
        raise PluginInUse(plugin=name, dependants=", ".join(dependants))
    with platform.unit_of_work(actor) as session:
        row = session.get(lifecycle.PluginRow, name)
        if name in platform.registry.plugins and (row is None or (row.enabled and not row.reason)):
            raise PluginStillOn(plugin=name)
    return branch
