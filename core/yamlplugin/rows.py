"""The rules of who may know of which records, as the function that a resource's ``visible`` is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from core.yamlplugin.layout import Call, Name, literal, rendered
from core.yamlplugin.modulefile import Module
from core.yamlplugin.schema import ResourceSpec, RowsSpec
from core.yamlplugin.tables import class_name


def visible(module: Module, resource: str, spec: ResourceSpec) -> str:
    """Write the function into ``module``; returns its name."""
    module.use("guildhall", "Actor")
    module.use("sqlalchemy", "ColumnElement", "false", "or_")
    module.use(".", "models")
    name = f"rows_of_{resource}"
    lines = [
        f"def {name}(actor: Actor) -> ColumnElement[bool] | None:",
        '    """The records that ``actor`` may know of; None for all."""',
    ]
    rest = []
    for rule in spec.rows:
        if rule.permission and not (rule.member or rule.field):
            lines += [f"    if actor.can({literal(rule.permission)}):", "        return None"]
        else:
            rest.append(rule)
    lines.append("    allowed: list[ColumnElement[bool]] = [false()]")
    for rule in rest:
        lines += _rule(module, class_name(resource), spec, rule)
    module.body.append("\n\n\n" + "\n".join([*lines, "    return or_(*allowed)"]))
    return name


def _rule(module: Module, model: str, spec: ResourceSpec, rule: RowsSpec) -> Iterator[str]:
    if rule.run:
        module.use(".", "actions")
        yield f"    if (own := actions.{rule.run}(actor)) is None:"
        yield "        return None"
        yield "    allowed.append(own)"
        return
    asked, held = list[str](), list[Any]()
    if rule.permission:
        asked.append(f"actor.can({literal(rule.permission)})")
    if rule.member:
        asked.append("actor.member_id is not None")  # else whom nobody is named in would be everybody's
        held.append(Name(f"models.{model}.{rule.member} == actor.member_id"))
    if rule.field and rule.is_:
        held.append(Call(f"models.{model}.{rule.field}.in_", [list(rule.is_)]))
    elif rule.field:
        held.append(Call(f"models.{model}.{rule.field}.is_", [True]))
    if len(held) > 1:
        module.use("sqlalchemy", "and_")
        held = [Call("and_", held)]
    indent = 4
    if asked:
        yield f"    if {' and '.join(asked)}:"
        indent = 8
    yield " " * indent + rendered(Call("allowed.append", held), indent)
