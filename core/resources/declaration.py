"""What a plugin says of a model: a resource, the parts of its pages, and what its columns can do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from sqlalchemy import ColumnElement, inspect
from sqlalchemy.orm import Session

from core.actor import Actor
from core.db.base import Model
from core.files.upload import Upload
from core.resources.computed import Computed
from core.resources.operation import Operation
from core.resources.transition import Transition, columns_of, value_of

ALL = ("list", "show", "create", "update", "delete")
DELETED_AT = "deleted_at"


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
      column with ``info={"search": True}``, brings it along. A long text (``FullText``) is searched by its words.
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
    - ``transitions``: the changes of enumerated columns that are allowed, and who may make them (``Transition``). Every
      other change of such a column is refused, whichever door asks.
    - ``initial``: by such a column, the states that a new record may begin in; by default the column's own default.
    - ``computed``: further columns, by SQL or by a function (``Computed``).
    - ``soft_delete``: a deleted record stays, with the moment in its column ``deleted_at``
      (``Mapped[Instant | None]``), out of everybody's sight but in the list of deleted records of who may delete; they
      can restore it. A unique constraint counts deleted records too: make it an index with
      ``postgresql_where=text("deleted_at IS NULL")`` if a new record may take their place.
    - ``keep_deleted_days``: so long deleted records can be restored, then a job takes them away for good; 0 for ever,
      by default the platform's setting ``deleted_record_days``.
    - ``files``: columns that hold a file (``Mapped[FileRef | None]``), each with the ``Upload`` that says what is
      taken; its name is the purpose at ``POST /api/v1/core/files``.
    - ``translated``: text columns with translations, kept by language in the column ``translations`` (``Mapped[Json]``,
      ``default=dict``). The form asks for each language of the installation; readers get theirs, else the column's own.
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
    transitions: Sequence[Transition] = ()
    initial: Mapping[str, Sequence[str]] = field(default_factory=dict)
    computed: Sequence[Computed] = ()
    soft_delete: bool = False
    keep_deleted_days: int | None = None
    files: Mapping[str, Upload] = field(default_factory=dict)
    translated: Sequence[str] = ()
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
    def full_text(self) -> tuple[str, ...]:
        """Those of ``search`` that are long texts, searched by their words."""
        return tuple(key for key in self.search if self.columns_of_model[key].info.get("full_text"))

    @cached_property
    def columns_known(self) -> dict[str, Any]:
        """``columns_of_model`` and a column for each computed one."""
        return {**self.columns_of_model, **{one.name: one.column for one in self.computed}}

    def attribute(self, name: str) -> Any:
        """What a query compares and sorts by: the model's attribute, or the expression of a computed column."""
        for one in self.computed:
            if one.name == name:
                return one.expression(self.model)
        return getattr(self.model, name)

    @cached_property
    def writable(self) -> tuple[str, ...]:
        """Fields that a form or a body may set."""
        if self.fields:
            return tuple(self.fields)
        skip = {"id", "created_at", "updated_at", self.owner, *self.hidden, *self._marks}
        skip |= {key for key, column in self.columns_of_model.items() if column.info.get("computed")}
        return tuple(key for key in self.columns_of_model if key not in skip)

    @cached_property
    def readable(self) -> tuple[str, ...]:
        """Fields that an answer shows, computed ones last."""
        return tuple(key for key in self.columns_known if key not in self.hidden and key not in self._marks)

    @property
    def _marks(self) -> tuple[str, ...]:
        """Columns that say something about the record, and are no part of it."""
        return (DELETED_AT,) if self.soft_delete else ()

    @cached_property
    def initial_states(self) -> dict[str, tuple[str, ...]]:
        """By column with transitions: the states that a new record may begin in."""
        governed = [one for one in columns_of(self.transitions) if one in self.columns_of_model]
        return {column: self._initial(column) for column in governed}

    def _initial(self, column: str) -> tuple[str, ...]:
        if column in self.initial:
            return tuple(self.initial[column])
        default = self.columns_of_model[column].default
        return (value_of(default.arg),) if default is not None and default.is_scalar else ()
