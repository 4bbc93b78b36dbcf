"""What the columns of a file mean: fields of a resource by their names and labels, and the key records are found by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from core.actor import Actor
from core.errors import Invalid
from core.i18n import Catalogues, _
from core.lists.conditions import kind_of
from core.resources.declaration import DELETED_AT
from core.resources.resource import BoundResource
from core.rest.schema import storable
from core.wording import column_label

if TYPE_CHECKING:
    from core.rest.schema import Schema

EXISTING = ("update", "leave", "refuse")
BLANK = ("keep", "clear")
LONGEST_CONSTANT = 2000


@dataclass(frozen=True)
class Plan:
    """What is done with a file.

    - ``columns``: the column of the file, by field.
    - ``constants``: what a field is in every row, for fields that the file lacks.
    - ``keys``: the fields by which a row finds the record that is there; none where every row is a new one.
    - ``existing``: a record that is there is to be updated, left alone, or its row refused.
    - ``blank``: an empty cell keeps what a record has, or clears it where that is possible.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, str] = field(default_factory=dict)
    keys: tuple[str, ...] = ()
    existing: str = "update"
    blank: str = "keep"

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> Plan:
        """The plan that ``as_json`` wrote, or the first parts of it."""
        return cls(
            dict(kept.get("columns") or {}),
            dict(kept.get("constants") or {}),
            tuple(kept.get("keys") or ()),
            kept.get("existing") or "update",
            kept.get("blank") or "keep",
        )

    def as_json(self) -> dict[str, Any]:
        return {
            "columns": dict(self.columns),
            "constants": dict(self.constants),
            "keys": list(self.keys),
            "existing": self.existing,
            "blank": self.blank,
        }

    @property
    def fields(self) -> tuple[str, ...]:
        """Every field that rows have a value for."""
        return tuple(dict.fromkeys([*self.columns, *self.constants]))


@dataclass(frozen=True)
class Target:
    """A field that a column can be brought into. ``only_key`` is the key of a record, by which rows are found alone."""

    name: str
    label: str
    kind: str
    required: bool
    only_key: bool = False


@cache
def schemas(bound: BoundResource) -> tuple[Schema, Schema]:
    """The schemas of REST that a new record and a change are checked by."""
    from core.rest.resource import name_of, schema  # a fifth of a second, for processes that import nothing

    made = schema(f"{name_of(bound)}Import", bound, bound.resource.writable, written=True)
    return made(), made(partial=True)


def targets(bound: BoundResource) -> tuple[Target, ...]:
    """What columns can be brought into: what REST takes, and the key."""
    new, _change = schemas(bound)
    resource = bound.resource
    found = [
        Target(name, column_label(resource, name), kind_of(bound, name), bool(one.required))
        for name, one in new.fields.items()
        if name not in resource.files
    ]
    if resource.key not in new.fields:
        found.append(Target(resource.key, _("ID"), "reference", False, only_key=True))
    return tuple(found)


def unique_keys(bound: BoundResource) -> tuple[tuple[str, ...], ...]:
    """Fields that no two records have alike, each set of them as a constraint of the table says; the key comes last."""
    resource = bound.resource
    names = {column.name: key for key, column in resource.columns_of_model.items()}
    known = {one.name for one in targets(bound)}
    table: Any = resource.model.__table__
    sets: list[Iterable[Any]] = [one.columns for one in table.constraints if isinstance(one, sa.UniqueConstraint)]
    sets += [one.expressions for one in table.indexes if one.unique and _whole(bound, one)]
    found = []
    for columns in sets:
        if all(isinstance(one, sa.Column) and names.get(one.name) in known for one in columns):
            found.append(tuple(names[one.name] for one in columns))
    found.sort(key=lambda one: (len(one), one))
    return tuple(dict.fromkeys([*found, (resource.key,)]))


def _whole(bound: BoundResource, index: Any) -> bool:
    """Whether an index is about every record that is not deleted."""
    where = index.dialect_options["postgresql"]["where"]
    return where is None or (bound.resource.soft_delete and str(where) == f"{DELETED_AT} IS NULL")


def usable_as_key(bound: BoundResource, name: str) -> bool:
    """Whether records can be told apart by a field at all."""
    column = bound.resource.columns_of_model[name]
    return not isinstance(column.type, (sa.JSON, JSONB, sa.Boolean, sa.LargeBinary)) and not column.info.get("secret")


def guess(bound: BoundResource, header: Sequence[str], catalogues: Catalogues) -> Plan:
    """What the columns of a file seem to be: by name, by label, by the label in any language."""
    says = [catalogues.of(language).gettext for language in catalogues.languages]
    left = {_folded(name): name for name in reversed(header)}
    columns: dict[str, str] = {}
    for target in targets(bound):
        label = target.label
        called = [target.name, target.name.removesuffix("_id"), label, *(say(label) for say in says)]
        name = next((one for one in map(_folded, called) if one in left), None)
        if name is not None:
            columns[target.name] = left.pop(name)
    keys = next((one for one in unique_keys(bound) if set(one) <= set(columns)), ())
    if bound.resource.key in columns:
        keys = (bound.resource.key,)
    return Plan(columns=columns, keys=keys)


def check(bound: BoundResource, header: Sequence[str], plan: Plan) -> Plan:
    """The plan as it is kept. Raises Invalid, by ``columns``, ``keys``, ``existing`` or ``blank``."""
    known = {one.name: one for one in targets(bound)}
    if wrong := [name for name in plan.fields if name not in known]:
        raise Invalid({"columns": [_("These records have no such field.")]}, fields=wrong)
    if any(column not in header for column in plan.columns.values()):
        raise Invalid({"columns": [_("The file has no such column.")]})
    constants = {
        name: text[:LONGEST_CONSTANT]
        for name, text in plan.constants.items()
        if text and name not in plan.columns and not known[name].only_key
    }
    if not storable(constants):
        raise Invalid({"columns": [_("This holds characters that cannot be kept.")]})
    kept = Plan(plan.columns, constants, tuple(dict.fromkeys(plan.keys)), plan.existing, plan.blank)
    if not any(not known[name].only_key for name in kept.fields):
        raise Invalid({"columns": [_("Say what at least one column of the file is.")]})
    if any(name not in kept.columns or not usable_as_key(bound, name) for name in kept.keys):
        raise Invalid({"keys": [_("Choose the key among the columns of the file that are brought in.")]})
    if plan.existing not in EXISTING or (plan.existing == "update" and "update" not in bound.resource.actions):
        raise Invalid({"existing": [_("Choose one of the values offered.")]})
    if plan.blank not in BLANK:
        raise Invalid({"blank": [_("Choose one of the values offered.")]})
    return kept


def allow(actor: Actor, bound: BoundResource, plan: Plan | None = None) -> None:
    """Raise PermissionMissing unless the actor may make such records, and change them where the plan does."""
    actor.require(IMPORT)
    actor.require(bound.permission("create"))
    if plan is not None and plan.keys and plan.existing == "update":
        actor.require(bound.permission("update"))


def existing_choices(actor: Actor, bound: BoundResource) -> tuple[str, ...]:
    """What this actor may do with records that are there."""
    may = "update" in bound.resource.actions and actor.can(bound.permission("update"))
    return EXISTING if may else EXISTING[1:]


def importable(actor: Actor, bound: BoundResource) -> bool:
    """Whether the actor may bring records of this resource in."""
    return "create" in bound.resource.actions and actor.can(IMPORT) and actor.can(bound.permission("create"))


def catalogues_of(session: Session) -> Catalogues:
    found: Catalogues = session.info["catalogues"]
    return found


def _folded(text: str) -> str:
    return "".join(one for one in text.casefold() if one.isalnum())


IMPORT = "core:record:import"
