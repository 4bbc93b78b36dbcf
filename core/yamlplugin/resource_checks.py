"""What the resources of a ``plugin.yaml`` say that cannot be carried out."""

from __future__ import annotations

import keyword
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter

from core.content_languages import TRANSLATIONS
from core.db.base import RESERVED_COLUMNS, Model
from core.yamlplugin import schema
from core.yamlplugin.row_checks import of_rows
from core.yamlplugin.schema import AnyField, ChoiceField, PluginSpec, ResourceSpec
from core.yamlplugin.source import Path_, Problem, Source
from core.yamlplugin.value_checks import TAKEN_KINDS, of_settings, of_values, unfit, unknown_permission

LONGEST_NAME = 63  # of anything in PostgreSQL
# What the generated module of the tables calls by these names.
TAKEN_FIELDS = frozenset({"choice", "dt", "id", "mapped_column"})
KEPT_TEXT = (schema.TextField, schema.LongTextField, schema.JsonField, schema.AddressField)


def of_resources(source: Source, spec: PluginSpec) -> Iterator[Problem]:
    """Of every resource, and of what they are to each other."""
    graph: dict[str, set[str]] = {name: set() for name in spec.resources}
    for name, resource in spec.resources.items():
        path: Path_ = ("resources", name)
        if keyword.iskeyword(name):
            yield source.problem(path, f"a resource cannot be called `{name}`; the name has a use of its own", key=True)
        for key, field in resource.fields.items():
            yield from _of_field(source, spec, (*path, "fields", key), name, resource, key, field)
            if isinstance(field, schema.ReferenceField) and "." not in field.to and field.to != name:
                graph[name].add(field.to)
        yield from _of_former_names(source, path, resource.fields)
        yield from _of_choices(source, path, resource)
        yield from _of_columns(source, path, resource)
        yield from _of_search(source, path, resource)
        yield from _of_states(source, spec, path, resource)
        yield from _of_parts(source, spec, path, resource)
        yield from of_rows(source, spec, path, resource)
    yield from _of_former_names(source, ("resources",), spec.resources)
    classes: dict[str, str] = {}
    for name in spec.resources:
        first = classes.setdefault(name.replace("_", ""), name)
        if first != name:
            yield source.problem(("resources", name), f"{name} and {first} are too alike for two resources", key=True)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as problem:
        circle = problem.args[1]
        yield source.problem(
            ("resources", circle[0]), f"resources refer to each other in a circle: {' → '.join(circle)}", key=True
        )


def _of_field(
    source: Source, spec: PluginSpec, path: Path_, name: str, resource: ResourceSpec, key: str, field: AnyField
) -> Iterator[Problem]:
    if key in RESERVED_COLUMNS | TAKEN_FIELDS | TAKEN_KINDS or keyword.iskeyword(key) or hasattr(Model, key):
        yield source.problem(path, f"a field cannot be called `{key}`; the name has a use of its own", key=True)
    longest = len(f"ix_{spec.name}_{name}_{key}_search")
    if longest > LONGEST_NAME:
        yield source.problem(path, f"the names of plugin, resource and field are {longest - LONGEST_NAME} letters"
                             " too long together for PostgreSQL", key=True)  # fmt: skip
    default = getattr(field, "default", None)
    if default is not None and (why := unfit(field, default)):
        yield source.problem((*path, "default"), why)
    if field.bulk and "update" not in resource.actions:
        yield source.problem((*path, "bulk"), "the action update is expected where a field changes in bulk")
    if field.bulk and _personal(resource, key):
        yield source.problem((*path, "bulk"), f"{key} may hold something personal, which is never changed in bulk")
    if field.bulk and (field.hidden or key == resource.owner):
        yield source.problem((*path, "bulk"), f"nobody may change {key} one by one, nor in bulk")
    if resource.soft_delete and key == "deleted_at":
        yield source.problem(path, "with soft_delete the platform has a column deleted_at of its own", key=True)
    if key == TRANSLATIONS and any(getattr(one, "translated", False) for one in resource.fields.values()):
        yield source.problem(path, "with `translated` the platform has a column translations of its own", key=True)
    if isinstance(field, schema.ReferenceField):
        yield from _of_reference(source, spec, path, field)


def _of_former_names(
    source: Source, path: Path_, parts: Mapping[str, AnyField] | Mapping[str, ResourceSpec]
) -> Iterator[Problem]:
    """Of fields or resources that were called something else."""
    inside = () if path == ("resources",) else ("fields",)
    former: dict[str, str] = {}
    for key, one in parts.items():
        if not one.was:
            continue
        here = (*path, *inside, key, "was")
        if one.was in parts:
            yield source.problem(here, f"{one.was} is here as well; take `was` away once the migration is written")
        elif (other := former.setdefault(one.was, key)) != key:
            yield source.problem(here, f"{other} was called {one.was} already")


def _personal(resource: ResourceSpec, key: str) -> bool:
    """Whether the privacy rules take the field for something personal (core/db/personal.py)."""
    field = resource.fields[key]
    if not isinstance(field, KEPT_TEXT):
        return False
    said = getattr(field, "personal", None)
    about_someone = any(isinstance(one, schema.MemberField) for one in resource.fields.values())
    return bool(said) if said is not None else about_someone and not field.unique


def _of_reference(source: Source, spec: PluginSpec, path: Path_, field: schema.ReferenceField) -> Iterator[Problem]:
    plugin, dot, _thing = field.to.rpartition(".")
    if dot and plugin == spec.name:
        yield source.problem((*path, "to"), f"a resource of this plugin is meant; write `{_thing}`")
    elif dot and plugin not in spec.requires:
        yield source.problem((*path, "to"), f"`requires` does not name the plugin {plugin}")
    elif not dot and field.to not in (source.value.get("resources") or {}):
        known = ", ".join(map(str, source.value.get("resources") or {}))
        yield source.problem((*path, "to"), f"there is no resource {field.to}; expected is one of {known}")
    if field.on_delete == "clear" and field.required:
        yield source.problem((*path, "on_delete"), "a field that is required cannot be emptied")


def _of_choices(source: Source, path: Path_, resource: ResourceSpec) -> Iterator[Problem]:
    for key, field in resource.fields.items():
        if isinstance(field, ChoiceField):
            here = (*path, "fields", key)
            yield from of_values(source, here, field)
            for at, value in enumerate(field.initial):
                if value not in field.values:
                    yield source.problem((*here, "initial", at), f"{value} is none of its values")
            if field.initial and key not in {one.field for one in resource.transitions}:
                yield source.problem(
                    (*here, "initial"), "transitions of it are expected; without them it begins freely"
                )
            for value in field.colours:
                if value not in field.values:
                    yield source.problem((*here, "colours", value), f"{value} is none of its values", key=True)


def _fields(source: Source, resource: str) -> set[str]:
    """The names of all fields that the file gives a resource, though they be wrong."""
    return set(source.value["resources"][resource]["fields"])


def _of_columns(source: Source, path: Path_, resource: ResourceSpec) -> Iterator[Problem]:
    """Of every place that names fields of the resource."""
    given = _fields(source, str(path[1]))
    known = {"id", *given}
    shown = {*known, *resource.computed}
    named: list[tuple[Path_, str]] = [((*path, "columns", at), key) for at, key in enumerate(resource.columns)]
    for number, section in enumerate(resource.sections):
        named += [((*path, "sections", number, "fields", at), key) for at, key in enumerate(section.fields)]
    named += [((*path, "order"), resource.order.removeprefix("-"))]
    named += [((*path, what), key) for what in ("owner", "title") if (key := getattr(resource, what))]
    for here, key in named:
        may = shown if here[2] in ("columns", "sections") else known
        if key not in may:
            told = ", ".join(one for one in ("id", *resource.fields, *resource.computed) if one in may)
            yield source.problem(here, f"there is no field {key}; expected is one of {told}")
    yield from _twice(source, [one for one in named if "columns" in one[0]])
    yield from _twice(source, [one for one in named if "sections" in one[0]])
    for number, together in enumerate(resource.unique_together):
        here = (*path, "unique_together", number)
        yield from _twice(source, [((*here, at), key) for at, key in enumerate(together)])
        for at, key in enumerate(together):
            long = isinstance(resource.fields.get(key), (schema.LongTextField, schema.JsonField))
            if long or key not in given:
                yield source.problem((*here, at), f"{key} is no field that can be compared")
    order = resource.fields.get(resource.order.removeprefix("-"))
    if "id" in resource.fields:
        order = None  # told already
    if order is not None and not order.required and getattr(order, "default", None) is None:
        yield source.problem((*path, "order"), "the field that lists are sorted by is expected to be required")
    owner = resource.fields.get(resource.owner or "")
    if owner is not None and not isinstance(owner, schema.MemberField):
        yield source.problem((*path, "owner"), "a field of type member is expected")
    title = resource.fields.get(resource.title or "")
    if title is not None and not isinstance(title, (schema.TextField, ChoiceField, schema.AddressField)):
        yield source.problem((*path, "title"), "a field of type text, choice or address is expected")


def _of_search(source: Source, path: Path_, resource: ResourceSpec) -> Iterator[Problem]:
    searched = [(key, one) for key, one in resource.fields.items() if getattr(one, "search", False)]
    whole = len(resource.fields) == len(_fields(source, str(path[1])))
    if whole and searched and not any(isinstance(one, schema.TextField) for _key, one in searched):
        here = (*path, "fields", searched[0][0], "search")
        yield source.problem(here, "a field of type text that is searched is expected beside a long one")


def _twice(source: Source, named: list[tuple[Path_, str]]) -> Iterator[Problem]:
    seen: set[str] = set()
    for here, key in named:
        if key in seen:
            yield source.problem(here, f"{key} stands here twice")
        seen.add(key)


def _of_parts(source: Source, spec: PluginSpec, path: Path_, resource: ResourceSpec) -> Iterator[Problem]:
    """Of inline records, operations, transitions, and acts that take others."""
    for at, action in enumerate(resource.actions):
        if action in resource.actions[:at]:
            yield source.problem((*path, "actions", at), f"{action} stands here twice")
    if resource.restorable and not (resource.audit and {"create", "delete"} <= set(resource.actions)):
        yield source.problem((*path, "restorable"), "the actions create and delete and the audit trail are expected")
    for at, inline in enumerate(resource.inline):
        here = (*path, "inline", at)
        other = spec.resources.get(inline.resource)
        if inline.resource not in (source.value.get("resources") or {}):
            yield source.problem((*here, "resource"), f"there is no resource {inline.resource}")
        elif other is not None:
            by, given = other.fields.get(inline.by), _fields(source, inline.resource)
            wrong = inline.by in given and by is None  # told already
            if not wrong and (not isinstance(by, schema.ReferenceField) or by.to != path[1]):
                yield source.problem(
                    (*here, "by"), f"a field of {inline.resource} that refers to {path[1]} is expected"
                )
            for number, key in enumerate(inline.columns):
                if key not in {"id", *given, *other.computed}:
                    yield source.problem((*here, "columns", number), f"{inline.resource} has no field {key}")
    names = [one.name for one in resource.operations]
    for at, operation in enumerate(resource.operations):
        here = (*path, "operations", at)
        if operation.name in names[:at]:
            yield source.problem((*here, "name"), f"two operations are called {operation.name}")
        yield from unknown_permission(source, spec, (*here, "permission"), operation.permission)
        yield from of_settings(source, (*here, "form"), operation.form, settings=False)
    for name in resource.computed:
        if name in resource.fields or name in RESERVED_COLUMNS | {"id"} or hasattr(Model, name):
            yield source.problem((*path, "computed", name), f"the name {name} is taken", key=True)
    if resource.soft_delete and ("delete" not in resource.actions or resource.restorable):
        yield source.problem((*path, "soft_delete"), "the action delete is expected, and not `restorable` beside it")
    if resource.keep_deleted_days is not None and not resource.soft_delete:
        yield source.problem((*path, "keep_deleted_days"), "`soft_delete: true` is expected with it", key=True)


def _of_states(source: Source, spec: PluginSpec, path: Path_, resource: ResourceSpec) -> Iterator[Problem]:
    """Of transitions, and of how the states that they govern begin."""
    names = [one.name for one in resource.operations]
    names += ["restore"] if resource.soft_delete else []
    for at, transition in enumerate(resource.transitions):
        here = (*path, "transitions", at)
        yield from unknown_permission(source, spec, (*here, "permission"), transition.permission)
        if "update" not in resource.actions:
            yield source.problem(here, "the action update is expected where there are transitions")
        name = transition.name or transition.to
        if "-" in name:
            yield source.problem(here, f"`name` is expected: {name} cannot be part of a name, for its dash")
        if name in names:
            yield source.problem(here, f"two transitions or operations are called {name}; give one a `name`")
        names.append(name)
        field = resource.fields.get(transition.field)
        if field is None and transition.field in _fields(source, str(path[1])):
            continue  # told already
        if not isinstance(field, ChoiceField):
            yield source.problem((*here, "field"), "a field of type choice is expected")
            continue
        if missing := [value for value in (*transition.from_, transition.to) if value not in field.values]:
            yield source.problem(here, f"{', '.join(missing)} is none of the values of {transition.field}")
        if transition.to in transition.from_:
            yield source.problem((*here, "to"), f"it leads from {transition.to} to itself")
    for key in dict.fromkeys(one.field for one in resource.transitions):
        field = resource.fields.get(key)
        if not isinstance(field, ChoiceField):
            continue
        here = (*path, "fields", key)
        if field.default is None and not (field.required and field.initial):
            yield source.problem(here, f"`default` is expected: transitions say how {key} goes on, it how {key} begins",
                                 key=True)  # fmt: skip
        elif field.initial and field.default is not None and field.default not in field.initial:
            yield source.problem((*here, "default"), f"`initial` does not name {field.default}")
