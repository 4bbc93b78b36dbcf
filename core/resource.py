"""A model declared once: admin pages, REST, OpenAPI, permissions, audit and events follow from it.

::

    Resource(Suggestion, icon="bulb", search=("title",), owner="author_id")
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ColumnElement, and_, inspect, select
from sqlalchemy.orm import Session

from core.actor import Actor
from core.db.base import Model
from core.errors import Conflict, Forbidden, NotFound
from core.events.event import Event
from core.events.publish import publish
from core.i18n import _
from core.operation import Operation

ALL = ("list", "show", "create", "update", "delete")
READ = ("list", "show")


class ResourceCreated(Event):
    """A record of a resource was created. Not published by imports, which publish one batch event."""

    id: UUID | str


class ResourceUpdated(Event):
    """A record was changed. Not published when nothing differs."""

    id: UUID | str
    fields: tuple[str, ...]


class ResourceDeleted(Event):
    """A record was deleted."""

    id: UUID | str


@dataclass(frozen=True, kw_only=True)
class Section:
    """A part of the form and of the record page: ``fields`` under ``title``; ``folded`` opens it only when asked.

    A form opens a folded section by itself where something in it is wrong.
    """

    title: str
    fields: Sequence[str]
    help: str = ""
    folded: bool = False


@dataclass(frozen=True, kw_only=True)
class Inline:
    """A tab of the record page with the records of ``model``, itself a resource, that refer to this one.

    - ``by``: its column that holds this record's key.
    - ``columns``: what is shown of each; default those of its list.
    - ``title``: of the tab; default what many of them are called.
    - ``limit``: so many are shown, in the order of its list, whose page has them all.

    Not shown to who may not list them, nor while their plugin is disabled.
    """

    model: type[Model]
    by: str
    columns: Sequence[str] = ()
    title: str = ""
    limit: int = 20


@dataclass(frozen=True, eq=False)
class Resource:
    """What the platform makes of ``model``.

    - ``model``: the class; it has a primary key of one column.
    - ``label``, ``label_plural``: what people call one and many; default from the table's name.
    - ``icon``: name of an icon of the sprite.
    - ``actions``: which of list, show, create, update, delete exist, in pages and REST alike.
    - ``columns``: of the list page; default the first six.
    - ``fields``: of the form and of REST bodies; default all that can be written.
    - ``search``: text columns that are searched by their beginning. An index must serve each: ``SearchText``, or a
      column with ``info={"search": True}``, brings it along.
    - ``few``: there are at most some thousand records, ever: searching them needs no index.
    - ``filters``: columns with a typed filter.
    - ``order``: column the list is sorted by, newest first with a leading ``-``; the key decides among equals. It may
      not be nullable, and must be indexed for large tables.
    - ``owner``: column naming the member a record belongs to: it is filled in on creation, and members without
      ``<plugin>:<name>:list`` see their own records.
    - ``visible``: ``visible(actor)`` returns the condition on rows that this actor may know of, or None for all. It
      holds beside permissions and ``owner``, in pages and REST, for reading, changing and deleting alike; and no record
      may be created or changed so that its author could not know of it. The system sees all.
    - ``labels``, ``help``: a column's label and help text, by its name.
    - ``states``: colour word (green, blue, yellow, red, gray, purple) by value of an enumerated column.
    - ``hidden``: columns that no page and no answer shows.
    - ``bulk``: fields that may be changed for many records at once; never personal ones.
    - ``operations``: further acts upon chosen records, offered above the list.
    - ``create``, ``update``, ``delete``: services that replace the plain ones: ``create(session, actor, values)``,
      ``update(session, actor, record, values)``, ``delete(session, actor, record)``.
    - ``audit``: whether changes are written to the audit trail.
    - ``events``: whether ``<plugin>.<name>.created``, ``updated`` and ``deleted`` are published.
    - ``restorable``: a deleted record can be written anew as the audit trail knows it, under its own key. Declare it
      where the row is the whole of a record: no deletion takes others along, no service must have its say.
    - ``sections``: parts of the form and of the record page; what none of them names comes last.
    - ``inline``: records that refer to this one, each kind in a tab of its record page.
    - ``rest``: whether there are generated routes; GraphQL has what they have.
    - ``graphql``: columns that GraphQL shows where routes of its own take the place of generated ones: what those show
      to everybody whom ``owner`` and permissions let see a record. Left out of GraphQL where none is named.
    - ``detail``, ``detail_template``: ``detail(session, record)`` returns the context of a template that is shown below
      the record.
    - ``form``, ``form_template``: ``form(session)`` returns the context of a template that is shown below the generated
      form, such as an editor of one of its fields.
    - ``page``: URL of a page of its own that replaces the generated record page, with ``{id}``.
    - ``new_page``: URL of a page that makes a record, for who holds the permission to create; where records are not
      made by the generated form.
    - ``menu``: False keeps it out of the sidebar.
    - ``display``: ``display(session, records)`` returns, for each record, what pages show in place of values, by
      column: a name in the reader's language, a sentence instead of a code.
    - ``title``: ``title(session, record)`` names a record on its page; by default its ``str``.
    - ``choices``: by column, ``choices(session)`` returns the (value, label) pairs that a form offers, read when it is
      shown; for columns that refer to rows an admin writes.
    """

    model: type[Model]
    label: str = ""
    label_plural: str = ""
    icon: str = "table"
    actions: Sequence[str] = ALL
    columns: Sequence[str] = ()
    fields: Sequence[str] = ()
    search: Sequence[str] = ()
    few: bool = False
    filters: Sequence[str] = ()
    order: str = "-id"
    owner: str | None = None
    visible: Callable[[Actor], ColumnElement[bool] | None] | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    help: Mapping[str, str] = field(default_factory=dict)
    states: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    hidden: Sequence[str] = ()
    bulk: Sequence[str] = ()
    operations: Sequence[Operation] = ()
    audit: bool = True
    events: bool = True
    restorable: bool = False
    sections: Sequence[Section] = ()
    inline: Sequence[Inline] = ()
    rest: bool = True
    graphql: Sequence[str] = ()
    menu: bool = True
    create: Callable[[Session, Actor, dict[str, Any]], Any] | None = None
    update: Callable[[Session, Actor, Any, dict[str, Any]], Any] | None = None
    delete: Callable[[Session, Actor, Any], None] | None = None
    detail: Callable[[Session, Any], Mapping[str, Any]] | None = None
    detail_template: str = ""
    form: Callable[[Session], Mapping[str, Any]] | None = None
    form_template: str = ""
    page: str = ""
    new_page: str = ""
    display: Callable[[Session, Sequence[Any]], Sequence[Mapping[str, Any]]] | None = None
    title: Callable[[Session, Any], str] | None = None
    choices: Mapping[str, Callable[[Session], Sequence[tuple[str, str]]]] = field(default_factory=dict)

    @cached_property
    def key(self) -> str:
        """The attribute that is the primary key; a resource has one of one column."""
        return str(inspect(self.model).primary_key[0].key)

    @property
    def table(self) -> str:
        return str(self.model.__tablename__)

    def name_in(self, plugin: str) -> str:
        """The resource's name: its table without the plugin's prefix."""
        return self.table.removeprefix(plugin + "_")

    @cached_property
    def columns_of_model(self) -> dict[str, Any]:
        """Every column by attribute name."""
        return {attribute.key: attribute.columns[0] for attribute in inspect(self.model).column_attrs}

    @cached_property
    def writable(self) -> tuple[str, ...]:
        """Fields that a form or a body may set."""
        if self.fields:
            return tuple(self.fields)
        skip = {"id", "created_at", "updated_at", self.owner, *self.hidden}
        skip |= {key for key, column in self.columns_of_model.items() if column.info.get("computed")}
        return tuple(key for key in self.columns_of_model if key not in skip)

    @cached_property
    def readable(self) -> tuple[str, ...]:
        """Fields that an answer shows."""
        return tuple(key for key in self.columns_of_model if key not in self.hidden)


class BoundResource:
    """A resource with the plugin that declares it: its names, permissions, events and services."""

    def __init__(self, plugin: str, resource: Resource) -> None:
        self.plugin = plugin
        self.resource = resource
        self.name = resource.name_in(plugin)
        self.key = f"{plugin}.{self.name}"
        self.label = resource.label or self.name.replace("_", " ").capitalize()
        self.label_plural = resource.label_plural or self.label + "s"
        self.events: dict[str, Any] = {}
        if resource.events:
            bases = {"create": ResourceCreated, "update": ResourceUpdated, "delete": ResourceDeleted}
            for action, base in bases.items():
                if action in resource.actions:
                    verb = base.__name__.removeprefix("Resource").lower()
                    name = "".join(word.title() for word in self.key.replace(".", "_").split("_"))
                    body = {"event_name": f"{self.key}.{verb}", "__doc__": base.__doc__, "__module__": __name__}
                    self.events[action] = type(f"{name}{verb.title()}", (base,), body)

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

    def visible(self, actor: Actor, action: str = "list") -> ColumnElement[bool] | None:
        """The rows on which ``actor`` may carry out ``action``, as a condition; None for all.

        Every way to a record asks here. Raises PermissionMissing where not even one's own may be reached.
        """
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

    def get(self, session: Session, actor: Actor, key: Any, action: str = "show", options: Sequence[Any] = ()) -> Any:
        """The record ``key``, which may be text. Raises NotFound also for one this actor may not know of."""
        condition = self.visible(actor, action)
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

    def create(self, session: Session, actor: Actor, values: dict[str, Any]) -> Any:
        """Create a record from checked values; flushes and publishes, never commits."""
        if self.resource.owner and actor.member_id and self.resource.owner not in values:
            values = {**values, self.resource.owner: actor.member_id}
        if self.resource.create:
            record = self.resource.create(session, actor, values)
        else:
            record = self.resource.model(**values)
            session.add(record)
        session.flush()
        self._keep_in_reach(session, actor, record)
        if event := self.events.get("create"):
            publish(session, actor, event(id=self.key_of(record)))
        return record

    def recreate(self, session: Session, actor: Actor, values: dict[str, Any]) -> Any:
        """Write a deleted record anew with all its values, the key too; publishes that it was created."""
        record = self.resource.model(**values)
        session.add(record)
        session.flush()
        self._keep_in_reach(session, actor, record)
        if event := self.events.get("create"):
            publish(session, actor, event(id=self.key_of(record)))
        return record

    def update(self, session: Session, actor: Actor, record: Any, values: dict[str, Any]) -> Any:
        """Change a record; publishes only when something differs."""
        changed = tuple(sorted(key for key, value in values.items() if getattr(record, key) != value))
        if not changed:
            return record
        if self.resource.update:
            record = self.resource.update(session, actor, record, values)
        else:
            for key in changed:
                setattr(record, key, values[key])
        session.flush()
        self._keep_in_reach(session, actor, record)
        if event := self.events.get("update"):
            publish(session, actor, event(id=self.key_of(record), fields=changed))
        return record

    def delete(self, session: Session, actor: Actor, record: Any) -> None:
        """Delete a record. Raises Conflict (by the database) while others depend on it."""
        key = self.key_of(record)
        if self.resource.delete:
            self.resource.delete(session, actor, record)
        else:
            session.delete(record)
        session.flush()
        if event := self.events.get("delete"):
            publish(session, actor, event(id=key))


class InUse(Conflict):
    code = "IN_USE"
    sentence = _("Other records depend on this one, so it cannot be deleted.")


class OutOfReach(Forbidden):
    code = "OUT_OF_REACH"
    sentence = _("These values would put the record where you may not see it.")


class AlreadyExists(Conflict):
    code = "ALREADY_EXISTS"
    sentence = _("There is already one with the same {fields}.")
