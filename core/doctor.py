"""What is wrong with a plugin, and what an admin should know before doing something about it.

``guildhall plugin doctor`` prints it, and the page of each plugin shows it. Nothing is changed by looking.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from core import access, lifecycle, settings
from core.db.base import metadata
from core.events.replay import lag
from core.i18n import _
from core.lifecycle import ParkedRevision, PluginRow, State
from core.loader import BUNDLED, Found, state_of
from core.plugin import HealthCheck
from core.registry import tables_of

if TYPE_CHECKING:
    from core.platform import Platform

log = structlog.get_logger("doctor")
LATE_SECONDS = 60
OFF = (State.DISABLED, State.ENABLED)
_SIZES = text(
    "SELECT relname, reltuples FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace"
)


@dataclass(frozen=True)
class Finding:
    """One thing that was found: a stable ``code`` and a sentence; ``wrong`` is what should not stay so."""

    code: str
    sentence: str
    params: Mapping[str, str] = field(default_factory=dict)
    wrong: bool = True

    def __str__(self) -> str:
        return self.sentence.format(**self.params)


@dataclass(frozen=True)
class Diagnosis:
    """Everything that was found about one plugin. ``advice`` are sentences on revisions that the database lacks."""

    name: str
    label: str
    version: str
    state: State
    reason: str
    traceback: str
    findings: tuple[Finding, ...]
    requires: Mapping[str, str]
    pending: tuple[str, ...]
    advice: tuple[str, ...]
    subscribers: tuple[dict[str, Any], ...]
    health: Mapping[str, str]
    tables: Mapping[str, int | None]

    @property
    def wrong(self) -> bool:
        return any(one.wrong for one in self.findings)

    def as_json(self) -> dict[str, Any]:
        """Plain JSON; numbers of rows are the planner's estimates."""
        findings = [{"code": one.code, "wrong": one.wrong, "sentence": str(one)} for one in self.findings]
        counted = ("subscriber", "paused", "pending", "dead")
        waiting = [
            {**{name: row[name] for name in counted}, "lag_seconds": float(row["lag"])} for row in self.subscribers
        ]
        names = ("name", "label", "version", "reason", "traceback", "wrong")
        return {
            **{name: getattr(self, name) for name in names},
            "state": self.state.value,
            "requires": dict(self.requires),
            "pending": list(self.pending),
            "advice": list(self.advice),
            "health": dict(self.health),
            "subscribers": waiting,
            "tables": dict(self.tables),
            "findings": findings,
        }


def examine(session: Session, platform: Platform, name: str = "") -> list[Diagnosis]:
    """Look at every plugin that was found, the core first, or at ``name`` alone. Raises PluginUnknown."""
    core = platform.registry.plugins["core"]
    found = [Found(name="core", folder=str(Path(__file__).parent), plugin=core), *platform.found]
    wanted = [one for one in found if name in ("", one.name)]
    if not wanted:
        raise lifecycle.PluginUnknown(name=name)
    shared = _Shared(session, platform)
    return [_examined(session, platform, one, shared) for one in wanted]


def parked(session: Session, platform: Platform) -> dict[str, list[str]]:
    """Revisions of plugins that are not installed, by plugin: their tables are there and wait for their return."""
    names = {one.name for one in platform.found}
    waiting: dict[str, list[str]] = {}
    for revision in session.scalars(select(ParkedRevision.revision).order_by(ParkedRevision.revision)):
        owner = revision.rpartition("_")[0]
        if owner not in names:
            waiting.setdefault(owner, []).append(revision)
    return waiting


class _Shared:
    """What is read once for all plugins."""

    def __init__(self, session: Session, platform: Platform) -> None:
        self.lag = lag(session)
        self.granted = access.grants(session)
        self.parked = set(session.scalars(select(ParkedRevision.revision)))
        self.rows = {name: int(rows) for name, rows in session.execute(_SIZES).tuples()}
        self.pending, self.advice, self.unreadable = _revisions(platform)


def _examined(session: Session, platform: Platform, one: Found, shared: _Shared) -> Diagnosis:
    state, reason = state_of(session, one)
    row = session.get(PluginRow, one.name)
    loaded = one.plugin is not None and platform.registry.plugins.get(one.name) is one.plugin
    on = loaded and one.name not in lifecycle.disabled(session)
    pending = [name for name in shared.pending if _owner(name) == one.name]
    health = {check.name: checked(session, check) for check in (one.plugin.health_checks if one.plugin and on else ())}
    subscribers = [line for line in shared.lag if line["subscriber"].partition(".")[0] == one.name]
    findings = [
        *_of_state(platform, one, state, reason),
        *_of_revisions(one, pending, shared),
        *_of_deliveries(subscribers, on),
        *(
            Finding("UNHEALTHY", _("The check {check} says: {word}"), {"check": check, "word": word})
            for check, word in health.items()
            if word != "ok"
        ),
        *(_of_settings(session, one) if loaded else ()),
        *(_of_permissions(platform, one, shared) if loaded else ()),
        *_of_docs(one),
    ]
    names = list(platform.registry.plugins)
    tables = tables_of(one.name, names) if loaded else ()
    return Diagnosis(
        name=one.name,
        label=one.plugin.label if one.plugin else one.name,
        version=one.plugin.version if one.plugin else "",
        state=state,
        reason=reason,
        traceback=one.traceback or (row.traceback if row is not None and state is State.QUARANTINED else ""),
        findings=tuple(findings),
        requires=dict(one.plugin.requires) if one.plugin else {},
        pending=tuple(pending),
        advice=tuple(str(line) for line in shared.advice if _owner(line.revision) == one.name),
        subscribers=tuple(subscribers),
        health=health,
        tables={table: _estimate(shared.rows, table) for table in sorted(tables)},
    )


def checked(session: Session, check: HealthCheck) -> str:
    """The word of one plugin's check, ``ok`` when it is well; one that fails speaks for itself alone."""
    try:
        with session.begin_nested():
            return check.check(session) or "ok"
    except Exception as problem:
        log.warning("health check failed", check=check.name, error=repr(problem))
        return "failed"


def _of_state(platform: Platform, one: Found, state: State, reason: str) -> Iterable[Finding]:
    if state not in OFF:
        yield Finding(f"STATE_{state.name}", "{reason}", {"reason": reason})
    elif state is State.DISABLED:
        yield Finding("OFF", _("An admin has turned it off. Its deliveries wait; nothing is lost."), wrong=False)
    for need, versions in one.plugin.requires.items() if one.plugin else ():
        if need not in platform.registry.plugins:
            about = {"need": need, "versions": versions}
            yield Finding("REQUIREMENT_MISSING", _("It needs the plugin {need} {versions}, which is not here."), about)


def _of_revisions(one: Found, pending: list[str], shared: _Shared) -> Iterable[Finding]:
    if why := shared.unreadable.get(one.name):
        yield Finding("REVISIONS_UNREADABLE", _("Its revisions cannot be read: {reason}"), {"reason": why})
    if pending:
        sentence = _("The database lacks its revisions {names}. Run guildhall db upgrade to apply them.")
        yield Finding("REVISIONS_PENDING", sentence, {"names": ", ".join(pending)})
    if newer := sorted(name for name in shared.parked if _owner(name) == one.name):
        sentence = _("The database is newer than this version: it is at {names}.")
        yield Finding("REVISIONS_PARKED", sentence, {"names": ", ".join(newer)})


def _of_deliveries(subscribers: list[dict[str, Any]], on: bool) -> Iterable[Finding]:
    for row in subscribers:
        about = {"name": row["subscriber"], "dead": str(row["dead"]), "seconds": str(int(row["lag"]))}
        if row["dead"]:
            sentence = _("{name} has given up on deliveries: {dead}. Mend the cause, then replay them.")
            yield Finding("DELIVERIES_DEAD", sentence, about)
        if row["paused"]:
            yield Finding("SUBSCRIBER_PAUSED", _("{name} is paused by an admin; its deliveries wait."), about, False)
        elif on and row["lag"] > LATE_SECONDS:
            yield Finding("SUBSCRIBER_LATE", _("{name} is behind by {seconds} seconds."), about)


def _of_settings(session: Session, one: Found) -> Iterable[Finding]:
    if one.plugin is None or one.plugin.settings is None:
        return
    wrong, unknown = settings.problems(session, one.plugin.settings)
    for name, problem in sorted(wrong.items()):
        sentence = _("The setting {name} cannot be used, so its default holds: {problem}")
        yield Finding("SETTING_UNUSABLE", sentence, {"name": name, "problem": problem})
    if unknown:
        about = {"names": ", ".join(unknown)}
        yield Finding("SETTING_UNKNOWN", _("Values are kept for settings that there are not: {names}"), about, False)


def _of_permissions(platform: Platform, one: Found, shared: _Shared) -> Iterable[Finding]:
    known = platform.registry.permissions
    for role, granted in sorted(shared.granted.items()):
        if role == "Admin":  # holds everything that ever was
            continue
        if gone := sorted(name for name in granted if name.startswith(f"{one.name}:") and name not in known):
            about = {"role": role, "names": ", ".join(gone)}
            sentence = _("The role {role} grants permissions that nothing declares any more: {names}")
            yield Finding("PERMISSION_UNKNOWN", sentence, about, wrong=False)


def _of_docs(one: Found) -> Iterable[Finding]:
    """The bundled plugins are told of in docs/; any other brings a page of its own."""
    folder = Path(one.folder) if one.folder else None
    if folder is None or one.name == "core" or folder.parent == BUNDLED:
        return
    if not any((folder / name).is_file() for name in ("README.md", "docs/README.md")):
        sentence = _("It has no page for people: write {path}.")
        yield Finding("DOCS_MISSING", sentence, {"path": f"{folder.name}/README.md"}, wrong=False)


def _revisions(platform: Platform) -> tuple[list[str], list[Any], dict[str, str]]:
    """Revisions that the database lacks, advice on them, and by plugin why revisions cannot be read."""
    from core.db import advice, migrate  # Alembic takes time to import

    readable, unreadable = migrate.readable(platform.branches)
    branches = [one for one in readable if one.name != "core"]
    engine = platform.database.engine
    pending = advice.waiting(engine, branches)
    found = advice.check(engine, branches) if pending else []
    return pending, found, {name: outcome.reason for name, outcome in unreadable.items()}


def _owner(revision: str) -> str:
    return revision.rpartition("_")[0]


def _estimate(rows: Mapping[str, int], table: str) -> int | None:
    """The planner's estimate; None for a table that was never looked at, or is not there."""
    known = rows.get(table, -1)
    return known if known >= 0 and table in metadata.tables else None
