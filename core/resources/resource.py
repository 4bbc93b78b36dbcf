"""A model declared once: admin pages, REST, OpenAPI, permissions, audit and events follow from it.

::

    Resource(Suggestion, icon="bulb", search=("title",), owner="author_id")
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import BigInteger, ColumnElement, and_, select
from sqlalchemy.orm import Session

from core.actor import Actor
from core.audit.trail import REASON, because
from core.clock import now
from core.content_languages import TRANSLATIONS, check
from core.errors import Conflict, Forbidden, Invalid, NotFound
from core.events.publish import publish
from core.files import service as files
from core.i18n import _
from core.members.standing import reason_given
from core.resources import computed, file_fields
from core.resources.declaration import ALL as ALL
from core.resources.declaration import DELETED_AT
from core.resources.declaration import Inline as Inline
from core.resources.declaration import Resource as Resource
from core.resources.declaration import Section as Section
from core.resources.events import events_of
from core.resources.operation import Operation
from core.resources.transition import Move, Transition, check_begin, chosen, refusal, value_of

READ = ("list", "show")
RESTORE = "restore"


class WithReason(BaseModel):
    """What a transition that takes a reason asks for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reason: str = Field(min_length=1, max_length=500, description=_("Kept in the history and in the audit trail."))


class BoundResource:
    """A resource with the plugin that declares it: its names, permissions, events and services."""

    def __init__(self, plugin: str, resource: Resource) -> None:
        self.plugin = plugin
        self.resource = resource
        self.name = resource.name_in(plugin)
        self.key = f"{plugin}.{self.name}"
        self.label = resource.label or self.name.replace("_", " ").capitalize()
        self.label_plural = resource.label_plural or self.label + "s"
        self.events = events_of(self.key, resource)

    def permission(self, action: str) -> str:
        return f"{self.plugin}:{self.name}:{action}"

    @property
    def permissions(self) -> list[str]:
        return [self.permission(action) for action in self.resource.actions]

    @property
    def page_path(self) -> str:
        """The path that the addresses of the generated pages begin with."""
        return f"/admin/{self.plugin.replace('_', '-')}/{self.name.replace('_', '-')}"

    @property
    def path(self) -> str:
        """The URL segment of the collection."""
        plural = self.name[:-1] + "ies" if self.name.endswith("y") else self.name + "s"
        return plural.replace("_", "-")

    @property
    def reading(self) -> str:
        """The action by which somebody reaches one record to do something with it."""
        return next((action for action in ("show", "list") if action in self.resource.actions), "update")

    def key_of(self, record: Any) -> Any:
        return getattr(record, self.resource.key)

    def parse_key(self, key: Any) -> Any:
        """``key``, which may be text, as the primary key's own type. Raises NotFound for what no key can be."""
        kind = self.resource.columns_of_model[self.resource.key].type
        try:
            typed = key if isinstance(key, kind.python_type) else kind.python_type(key)
        except ValueError:
            raise NotFound() from None
        most = 2**63 if isinstance(kind, BigInteger) else 2**31
        if (isinstance(typed, str) and "\x00" in typed) or (isinstance(typed, int) and abs(typed) >= most):
            raise NotFound()
        return typed

    @property
    def operations(self) -> tuple[Operation, ...]:
        """What can be done with chosen records: what the resource declares, its transitions, restoring deleted ones."""
        found = [*self.resource.operations, *map(self._operation, self.resource.transitions)]
        if self.resource.soft_delete:
            found.append(
                Operation(
                    name=RESTORE,
                    label=_("Restore"),
                    permission=self.permission("delete"),
                    run=lambda session, actor, record, _values: self.restore(session, actor, record),
                    icon="arrow-back-up",
                )
            )
        return tuple(found)

    def _operation(self, transition: Transition) -> Operation:
        return Operation(
            name=transition.slug,
            label=transition.title,
            permission=transition.permission or self.permission("update"),
            run=lambda session, actor, record, values: self.transit(
                session, actor, record, transition, values.get("reason", "")
            ),
            form=WithReason if transition.reason else None,
            icon=transition.icon,
            danger=transition.danger,
        )

    def possible(self, actor: Actor, record: Any) -> list[Transition]:
        """The transitions that ``actor`` may make with a record as it is now."""
        return [
            one
            for one in self.resource.transitions
            if value_of(getattr(record, one.column)) in one.sources
            and actor.can(one.permission or self.permission("update"))
        ]

    def visible(self, actor: Actor, action: str = "list", *, deleted: bool = False) -> ColumnElement[bool] | None:
        """The rows on which ``actor`` may carry out ``action``, as a condition; None for all.

        ``deleted`` means those that were deleted and can be restored, instead of the others; it takes what deleting
        takes. Every way to a record asks here. Raises PermissionMissing where not even one's own may be reached.
        """
        condition = self._reached(actor, "delete" if deleted else action)
        if not self.resource.soft_delete:
            return condition
        column: Any = getattr(self.resource.model, DELETED_AT)
        marked: ColumnElement[bool] = column.is_not(None) if deleted else column.is_(None)
        return marked if condition is None else and_(condition, marked)

    def _reached(self, actor: Actor, action: str) -> ColumnElement[bool] | None:
        declared = self._declared(actor)
        if actor.can(self.permission(action)):
            return declared
        if action not in READ or self.resource.owner is None or actor.member_id is None:
            actor.require(self.permission(action))
        column: ColumnElement[Any] = getattr(self.resource.model, self.resource.owner or "")
        own: ColumnElement[bool] = column == actor.member_id
        return own if declared is None else and_(own, declared)

    def _declared(self, actor: Actor) -> ColumnElement[bool] | None:
        if self.resource.visible is None or actor.kind == "system":
            return None
        return self.resource.visible(actor)

    def get(
        self,
        session: Session,
        actor: Actor,
        key: Any,
        action: str = "show",
        options: Sequence[Any] = (),
        *,
        deleted: bool = False,
    ) -> Any:
        """The record ``key``, which may be text, or a ``deleted`` one that can be restored.

        Raises NotFound also for one this actor may not know of, PermissionMissing.
        """
        condition = self.visible(actor, action, deleted=deleted)
        query = select(self.resource.model).where(self._is(self.parse_key(key))).options(*options)
        record = session.scalar(query if condition is None else query.where(condition))
        if record is None:
            raise NotFound()
        return record

    def _is(self, key: Any) -> ColumnElement[bool]:
        same: ColumnElement[bool] = getattr(self.resource.model, self.resource.key) == key
        return same

    def _keep_in_reach(self, session: Session, actor: Actor, record: Any) -> None:
        """Refuse what puts a record where its author may not see it."""
        condition = self._declared(actor)
        if condition is None:
            return
        key = getattr(self.resource.model, self.resource.key)
        if session.scalar(select(key).where(self._is(self.key_of(record)), condition)) is None:
            raise OutOfReach()

    def hold(
        self, session: Session, record: Any, columns: Sequence[str] | None = None, *, deleted: bool = False
    ) -> None:
        """Lock the record's row until the transaction ends, and read ``columns`` (default all) anew.

        Raises NotFound where it was deleted meanwhile, or with ``deleted`` restored.
        """
        query = select(getattr(self.resource.model, self.resource.key)).where(self._is(self.key_of(record)))
        if self.resource.soft_delete:
            mark = getattr(self.resource.model, DELETED_AT)
            query = query.where(mark.is_not(None) if deleted else mark.is_(None))
        if session.scalar(query.with_for_update(key_share=True)) is None:
            raise NotFound()
        session.refresh(record, columns)

    def fill(self, session: Session, records: Sequence[Any], names: Sequence[str] | None = None) -> None:
        """Give records what their table does not hold: computed columns (those in ``names``), and links to their files.

        Whatever shows records calls it first.
        """
        computed.fill(session, self.resource, records, names)
        file_fields.show(session, self.resource.files, records)

    def create(self, session: Session, actor: Actor, values: dict[str, Any]) -> Any:
        """Create a record from checked values; flushes and publishes, never commits.

        Raises StateNotInitial, OutOfReach, Invalid (a file, a reference to what was deleted), and what a service of
        the resource refuses.
        """
        if self.resource.owner and actor.member_id and self.resource.owner not in values:
            values = {**values, self.resource.owner: actor.member_id}
        check_begin(self.resource.initial_states, values)
        values = self._check_translations(session, values)
        self._check_references(session, values)
        file_fields.keep(session, actor, self.plugin, self.resource.files, values)
        if self.resource.create:
            record = self.resource.create(session, actor, values)
        else:
            record = self.resource.model(**values)
            session.add(record)
        session.flush()
        self._keep_in_reach(session, actor, record)
        self._publish(session, actor, "create", self.key_of(record))
        return record

    def recreate(self, session: Session, actor: Actor, values: dict[str, Any]) -> Any:
        """Write a deleted record anew with all its values, the key too; publishes that it was created."""
        self._check_references(session, values)
        record = self.resource.model(**values)
        session.add(record)
        session.flush()
        self._keep_in_reach(session, actor, record)
        self._publish(session, actor, "create", self.key_of(record))
        return record

    def update(
        self, session: Session, actor: Actor, record: Any, values: dict[str, Any], *, by: Transition | None = None
    ) -> Any:
        """Change a record; publishes only when something differs. ``by`` is the one transition that it is about.

        Raises TransitionRefused, ReasonNeeded (outside of ``because``), PermissionMissing, NotFound (deleted
        meanwhile), and what ``create`` raises.
        """
        values = self._check_translations(session, values)
        moves = self._moves(session, actor, record, values, by)
        given = {key: value for key, value in values.items() if getattr(record, key) != value}
        changed = tuple(sorted(given))
        if not changed:
            return record
        self._check_references(session, given)
        dropped = file_fields.keep(session, actor, self.plugin, self.resource.files, given, record)
        if self.resource.update:
            record = self.resource.update(session, actor, record, values)
        else:
            for key in changed:
                setattr(record, key, values[key])
        session.flush()
        files.let_go(session, dropped)
        self._keep_in_reach(session, actor, record)
        self._publish(session, actor, "update", self.key_of(record), fields=changed)
        for move in moves:
            if value_of(getattr(record, move.transition.column)) == move.transition.to:
                about = {"column": move.transition.column, "transition": move.transition.slug}
                states = {"from_state": move.from_state, "to_state": move.transition.to}
                self._publish(session, actor, "transition", self.key_of(record), **about, **states)
        return record

    def transit(self, session: Session, actor: Actor, record: Any, transition: Transition, reason: str = "") -> Any:
        """Make one of the resource's transitions; of two at once, the second is refused.

        Raises PermissionMissing, TransitionRefused, Invalid (no reason where one is asked for), and what ``update``
        raises.
        """
        actor.require(transition.permission or self.permission("update"))
        noted = because(session, reason_given(reason)) if transition.reason else nullcontext()
        with noted:
            return self.update(session, actor, record, {transition.column: transition.to}, by=transition)

    def _moves(
        self, session: Session, actor: Actor, record: Any, values: Mapping[str, Any], by: Transition | None
    ) -> list[Move]:
        """The states that ``values`` change, under the lock of the row, each with the transition that allows it."""
        columns = [column for column in self.resource.initial_states if column in values]
        if not columns:
            return []
        self.hold(session, record, columns)
        declared, found = self.resource.transitions, []
        for column in columns:
            before, after = value_of(getattr(record, column)), value_of(values[column])
            if by is not None:
                if before not in by.sources:
                    raise refusal(declared, column, before, after)
                found.append(Move(by, before))
            elif before != after:
                takes, noted = self.permission("update"), bool(session.info.get(REASON))
                way = chosen(declared, actor, column, before, after, permission=takes, with_reason=noted)
                found.append(Move(way, before))
        return found

    def delete(self, session: Session, actor: Actor, record: Any) -> None:
        """Delete a record. Raises Conflict (by the database) while others depend on it, unless it can be restored."""
        key = self.key_of(record)
        if self.resource.soft_delete:
            self.hold(session, record)
            setattr(record, DELETED_AT, now())
            session.flush()
            self._publish(session, actor, "delete", key)
            return
        dropped = file_fields.held(self.resource.files, record)
        if self.resource.delete:
            self.resource.delete(session, actor, record)
        else:
            session.delete(record)
        session.flush()
        files.let_go(session, dropped)
        self._publish(session, actor, "delete", key)

    def restore(self, session: Session, actor: Actor, record: Any) -> Any:
        """Bring back a deleted record. Raises NotFound where it is back already, AlreadyExists (by the database)."""
        self.hold(session, record, deleted=True)
        setattr(record, DELETED_AT, None)
        session.flush()
        self._publish(session, actor, "restore", self.key_of(record))
        return record

    def purge(self, session: Session, record: Any) -> None:
        """Take a deleted record away for good. Raises Conflict (by the database) while others depend on it."""
        dropped = file_fields.held(self.resource.files, record)
        session.delete(record)
        session.flush()
        files.let_go(session, dropped)

    def _check_translations(self, session: Session, values: dict[str, Any]) -> dict[str, Any]:
        """``values`` with translations as they are kept. Raises Invalid."""
        if not self.resource.translated or TRANSLATIONS not in values:
            return values
        languages, columns = session.info["catalogues"].languages, self.resource.columns_of_model
        kept = check(columns, self.resource.translated, languages, values[TRANSLATIONS])
        return {**values, TRANSLATIONS: kept}

    def _check_references(self, session: Session, values: Mapping[str, Any]) -> None:
        """Refuse a reference to a record that was deleted; what is referred to stays until the transaction ends.

        Raises Invalid at the column.
        """
        registry = session.info.get("registry")
        for column, value in values.items():
            known = self.resource.columns_of_model.get(column)
            for reference in known.foreign_keys if known is not None and value is not None else ():
                table = reference.column.table
                if registry is None or table.name not in registry.soft_deleted:
                    continue
                there = select(reference.column).where(reference.column == value, table.c[DELETED_AT].is_(None))
                if session.scalar(there.with_for_update(read=True)) is None:
                    raise Invalid({column: [_("This refers to something that is not there, or was deleted.")]})

    def _publish(self, session: Session, actor: Actor, action: str, key: Any, **about: Any) -> None:
        if event := self.events.get(action):
            publish(session, actor, event(id=key, **about))


class InUse(Conflict):
    code = "IN_USE"
    sentence = _("Other records depend on this one, so it cannot be deleted.")


class OutOfReach(Forbidden):
    code = "OUT_OF_REACH"
    sentence = _("These values would put the record where you may not see it.")


class AlreadyExists(Conflict):
    code = "ALREADY_EXISTS"
    sentence = _("There is already one with the same {fields}.")
