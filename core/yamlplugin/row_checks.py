"""What the rules of who sees which records of a ``plugin.yaml`` say that cannot be carried out."""

from __future__ import annotations

from collections.abc import Iterator

from core.yamlplugin import schema
from core.yamlplugin.schema import PluginSpec, ResourceSpec, RowsSpec
from core.yamlplugin.source import Path_, Problem, Source
from core.yamlplugin.value_checks import unknown_permission


def of_rows(source: Source, spec: PluginSpec, path: Path_, resource: ResourceSpec) -> Iterator[Problem]:
    """Of the rules of one resource."""
    given = set(source.value["resources"][path[1]]["fields"])
    for at, rule in enumerate(resource.rows):
        here: Path_ = (*path, "rows", at)
        if not (rule.member or rule.field or rule.permission or rule.run):
            yield source.problem(here, "`member`, `field`, `permission` or `run` is expected")
        if rule.run and (rule.member or rule.field or rule.is_ or rule.permission):
            yield source.problem((*here, "run"), "a rule with `run` says nothing else; the function decides")
        member = resource.fields.get(rule.member or "")
        if (
            rule.member
            and not isinstance(member, schema.MemberField)
            and (member is not None or rule.member not in given)
        ):
            yield source.problem((*here, "member"), "a field of type member is expected")
        yield from _of_field(source, here, resource, rule, given)
        yield from unknown_permission(source, spec, (*here, "permission"), rule.permission)


def _of_field(
    source: Source, here: Path_, resource: ResourceSpec, rule: RowsSpec, given: set[str]
) -> Iterator[Problem]:
    field = resource.fields.get(rule.field or "")
    if rule.is_ and not rule.field:
        yield source.problem((*here, "is"), "`field` is expected with it", key=True)
    elif field is None and (not rule.field or rule.field in given):
        return  # nothing is said, or it was told already
    elif isinstance(field, schema.ChoiceField):
        if not rule.is_:
            yield source.problem((*here, "field"), "`is` is expected with it: the values of that choice")
        for number, value in enumerate(rule.is_):
            if value not in field.values:
                yield source.problem((*here, "is", number), f"{value} is none of the values of {rule.field}")
    elif not isinstance(field, schema.BooleanField):
        yield source.problem((*here, "field"), "a field of type choice or boolean is expected")
    elif rule.is_:
        yield source.problem((*here, "is"), "nothing is expected: records where the field is yes are meant", key=True)
