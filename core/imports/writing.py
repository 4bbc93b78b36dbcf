"""Write checked rows: all of them at once where a record is nothing but its row, else each in its own savepoint."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import sqlalchemy as sa
import structlog
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from core.actor import Actor
from core.audit import trail
from core.audit.trail import plain
from core.db import locks
from core.errors import DomainError, PermissionMissing
from core.imports.errors import RowAmbiguous, RowNotFound
from core.imports.plan import Plan, unique_keys
from core.imports.rows import REQUIRED, Key, Problem, Row
from core.lists.bulk import Unexpected
from core.refusals import domain_error
from core.registry import Registry
from core.resources.resource import AlreadyExists, BoundResource

KEYS_AT_ONCE = 1000
# What a resource may declare that takes more than its row to be written: whatever `BoundResource.create` looks at.
MORE_THAN_ROWS = ("create", "update", "visible", "transitions", "files", "translated")
log = structlog.get_logger("imports")


@dataclass(slots=True)
class Act:
    """What is to become of a row: a new record, or ``record`` with ``values`` that differ."""

    row: Row
    values: dict[str, Any]
    record: Any = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a row did: ``created`` or ``updated`` the record ``key``, of which it set ``fields``."""

    line: int
    action: str
    key: Any
    fields: tuple[str, ...] = ()
    record: Any = None  # as the table has it, where that was read since


@dataclass(slots=True)
class Written:
    """What became of some rows; ``left`` are lines whose record is there and stays as it is."""

    outcomes: list[Outcome] = field(default_factory=list)
    left: list[int] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def count(self, action: str) -> int:
        return sum(one.action == action for one in self.outcomes)


class Writer:
    """Writes rows of one import. It publishes nothing: the import says in one event what a chunk of rows has done."""

    def __init__(
        self, registry: Registry, bound: BoundResource, plan: Plan, required: Sequence[str], *, dry: bool = False
    ) -> None:
        self._plan, self._required, self._dry = plan, required, dry
        self._bound = copy.copy(bound)
        self._bound.events = {}
        self._plain = is_plain(registry, bound)
        self._sure = any(set(one) <= set(plan.keys) for one in unique_keys(bound))

    def write(self, session: Session, actor: Actor, rows: Iterable[Row]) -> Written:
        """Create, update or leave each row without problems. Raises OperationalError where two imports met; the
        transaction is then for the caller to repeat."""
        done = Written()
        good = []
        for row in rows:
            done.problems += row.problems
            if not row.problems:
                good.append(row)
        if self._plan.keys and not self._sure:  # no constraint decides between two imports
            locks.advisory(session, f"core.imports:{self._bound.key}")
        acts = self._acts(session, actor, good, done)
        acts.sort(key=_lock_order)
        if self._plain and acts:
            self._together(session, actor, acts, done)
        for act in [] if self._plain else acts:
            self._alone(session, actor, act, done)
        done.outcomes.sort(key=lambda one: one.line)
        done.problems.sort(key=lambda one: (one.line, one.field))
        return done

    def _acts(self, session: Session, actor: Actor, rows: Sequence[Row], done: Written) -> list[Act]:
        there = self.there(session, actor, [row.key for row in rows if row.key is not None])
        acts = []
        for row in rows:
            try:
                act = self.act(row, there.get(row.key, []) if row.key is not None else [])
            except DomainError as problem:
                done.problems += Problem.of(row.line, problem)
                continue
            if act is None:
                done.left.append(row.line)
            elif row.problems:
                done.problems += row.problems
            else:
                acts.append(act)
        return acts

    def there(self, session: Session, actor: Actor, keys: Sequence[Key], *, lock: bool = True) -> dict[Key, list[Any]]:
        """The records with these keys that the actor may know of, and where they are to be updated, may change."""
        resource = self._bound.resource
        columns = [getattr(resource.model, name) for name in self._plan.keys]
        updates = self._plan.existing == "update"
        try:
            visible = self._bound.visible(actor, "update" if updates else "list") if keys else None
        except PermissionMissing:
            if updates:
                raise
            return {}  # who makes records without seeing any
        own = getattr(resource.model, resource.key)
        found: dict[Key, list[Any]] = {}
        for start in range(0, len(keys), KEYS_AT_ONCE):
            some = list(dict.fromkeys(keys[start : start + KEYS_AT_ONCE]))
            among = columns[0].in_([one[0] for one in some]) if len(columns) == 1 else sa.tuple_(*columns).in_(some)
            query = sa.select(resource.model).where(among).order_by(own).execution_options(populate_existing=True)
            query = query if visible is None else query.where(visible)
            query = query.with_for_update(of=resource.model) if lock and updates else query
            for record in session.scalars(query).unique():
                found.setdefault(tuple(getattr(record, name) for name in self._plan.keys), []).append(record)
        return found

    def act(self, row: Row, records: Sequence[Any]) -> Act | None:
        """What the row does to the ``records`` with its key; None where it leaves the one there is as it is. What a
        new record lacks is told at the row. Raises RowAmbiguous, RowNotFound, AlreadyExists."""
        resource = self._bound.resource
        values = {name: value for name, value in row.values.items() if name in resource.writable}
        if len(records) > 1:
            raise RowAmbiguous()
        if records:
            if self._plan.existing == "refuse":
                raise AlreadyExists(fields=" ".join(self._plan.keys))
            if self._plan.existing == "leave":
                return None
            if self._plan.blank == "clear":
                columns = resource.columns_of_model
                values |= dict.fromkeys(one for one in row.blank if one in resource.writable and columns[one].nullable)
            changed = {name: value for name, value in values.items() if getattr(records[0], name) != value}
            return Act(row, changed, records[0]) if changed else None
        if row.key is not None and resource.key in self._plan.keys and resource.key not in resource.writable:
            raise RowNotFound()
        for name in self._required:
            if values.get(name) is None:
                row.wrong(name, REQUIRED, "REQUIRED")
        return Act(row, values)

    def _together(self, session: Session, actor: Actor, acts: Sequence[Act], done: Written) -> None:
        """Write all of them by few statements; where one of them cannot be written, halves of them, and so on."""
        try:
            with session.begin_nested():
                made = self._inserted(session, actor, [act for act in acts if act.record is None])
                for act in acts:
                    if act.record is not None:
                        for name, value in act.values.items():
                            setattr(act.record, name, value)
                        key = self._bound.key_of(act.record)
                        made.append(Outcome(act.row.line, "updated", key, tuple(sorted(act.values))))
                session.flush()
        except OperationalError:
            raise
        except Exception as problem:
            if domain_error(problem) is None:
                raise
            if len(acts) == 1:
                return self._alone(session, actor, acts[0], done)
            middle = len(acts) // 2
            self._together(session, actor, acts[:middle], done)
            self._together(session, actor, acts[middle:], done)
        else:
            done.outcomes += made

    def _inserted(self, session: Session, actor: Actor, acts: Sequence[Act]) -> list[Outcome]:
        """New records, by one statement for all whose rows have the same fields; audited unless it is a dry run."""
        resource, table = self._bound.resource, self._bound.resource.model.__table__
        columns = resource.columns_of_model
        owned = {resource.owner: actor.member_id} if resource.owner and actor.member_id else {}
        alike: dict[tuple[str, ...], list[dict[str, Any]]] = {}
        made = []
        for act in acts:
            values = {**owned, **act.values}
            if resource.key not in values:
                values[resource.key] = columns[resource.key].default.arg(None)
            made.append(Outcome(act.row.line, "created", values[resource.key]))
            row = {columns[name].name: value for name, value in values.items()}
            alike.setdefault(tuple(sorted(row)), []).append(row)
        for rows in alike.values():
            session.execute(sa.insert(table), rows)
        if made and resource.audit and not self._dry:
            found = records(session, self._bound, [one.key for one in made])
            trail.created(session, actor, found.values())
            made = [replace(one, record=found[one.key]) for one in made]
        return made

    def _alone(self, session: Session, actor: Actor, act: Act, done: Written, *, again: bool = True) -> None:
        line, fields = act.row.line, tuple(sorted(act.values))
        try:
            with session.begin_nested():
                if act.record is None:
                    record = self._bound.create(session, actor, act.values)
                    outcome = Outcome(line, "created", self._bound.key_of(record))
                else:
                    record = self._bound.update(session, actor, act.record, act.values)
                    outcome = Outcome(line, "updated", self._bound.key_of(record), fields)
        except OperationalError:
            raise
        except Exception as problem:
            known, key = domain_error(problem), act.row.key
            met = again and isinstance(known, AlreadyExists) and act.record is None
            if met and key is not None and self.there(session, actor, [key]):  # somebody was faster
                for other in self._acts(session, actor, [act.row], done):
                    self._alone(session, actor, other, done, again=False)
                return
            if known is None or known.status >= 500:
                log.exception("a row of an import failed", resource=self._bound.key, line=line)
                known = Unexpected()
            done.problems += Problem.of(line, known)
        else:
            done.outcomes.append(outcome)


def _lock_order(act: Act) -> str:
    """Imports that write the same keys at once write them in one order, and wait for each other instead of deadlock."""
    return str(act.row.key)


def is_plain(registry: Registry, bound: BoundResource) -> bool:
    """Whether writing a record is no more than writing its row, so that many can be written by one statement."""
    resource = bound.resource
    referred = {key.column.table.name for one in resource.columns_of_model.values() for key in one.foreign_keys}
    more = any(getattr(resource, name) for name in MORE_THAN_ROWS)
    return not more and not any(table in registry.soft_deleted for table in referred) and _is_flat(bound)


def _is_flat(bound: BoundResource) -> bool:
    """Whether the model leaves nothing to its class: no validators, one table, a key that is given or made here."""
    mapper, key = sa.inspect(bound.resource.model), bound.resource.columns_of_model[bound.resource.key]
    made = key.default is not None and key.default.is_callable
    return not mapper.validators and mapper.inherits is None and (made or bound.resource.key in bound.resource.writable)


def records(session: Session, bound: BoundResource, keys: Sequence[Any]) -> dict[Any, Any]:
    """Records by key, as the table keeps them now, in the order of ``keys``; what the session held of them is read
    once more."""
    own, column = getattr(bound.resource.model, bound.resource.key), bound.resource.columns_of_model[bound.resource.key]
    among = own == sa.any_(sa.bindparam(None, list(keys), type_=ARRAY(column.type)))
    query = sa.select(bound.resource.model).where(among).execution_options(populate_existing=True)
    found = {bound.key_of(one): one for one in session.scalars(query).unique()}
    return {key: found[key] for key in keys if key in found}


def marks(session: Session, bound: BoundResource, outcomes: Sequence[Outcome]) -> dict[int, bytes]:
    """By line, the digest of what each record holds now that it is written."""
    found = records(session, bound, [one.key for one in outcomes if one.record is None])
    return {one.line: mark(session, bound, one.record or found[one.key], one.fields) for one in outcomes}


def mark(session: Session, bound: BoundResource, record: Any, fields: Sequence[str]) -> bytes:
    """A keyed digest of a record's ``fields``, by default of all but those that follow from others."""
    columns = bound.resource.columns_of_model
    names = fields or [one for one in columns if one != "updated_at" and not columns[one].info.get("computed")]
    held = {name: plain(getattr(record, name)) for name in names}
    told = json.dumps(held, sort_keys=True, separators=(",", ":"), default=str).encode()
    key = hashlib.sha256(session.info["config"].secret_key.encode()).digest()
    return hashlib.blake2b(told, digest_size=16, key=key).digest()
