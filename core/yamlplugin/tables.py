"""The tables of a ``plugin.yaml`` as the text of a module of models."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from core.db.base import metadata
from core.yamlplugin import schema
from core.yamlplugin.layout import Call, Long, Name, rendered
from core.yamlplugin.modulefile import Module, camel
from core.yamlplugin.schema import AnyField, PluginSpec, ResourceSpec
from core.yamlplugin.source import Path_

# Names that the module of the tables has already: a class of one gets a longer name.
TAKEN_CLASSES = frozenset(
    (
        *(
            "Amount",
            "Count",
            "CreatedAt",
            "Decimal",
            "EvmAddress",
            "FileRef",
            "ForeignKey",
            "FullText",
            "Id",
            "Instant",
        ),
        *("Json", "LongText", "Mapped", "MemberRef", "Model", "Numeric", "SearchText", "ShortText", "String"),
        *("TronAddress", "UniqueConstraint", "UUID", "True", "False", "None"),
    )
)
ON_DELETE = {"restrict": "RESTRICT", "cascade": "CASCADE", "clear": "SET NULL"}
SIMPLE = {
    "long_text": "LongText",
    "integer": "Count",
    "amount": "Amount",
    "boolean": "bool",
    "date": "dt.date",
    "instant": "Instant",
    "json": "Json",
    "member": "MemberRef",
    "file": "FileRef",
}
SHORT = 120
Unknown = tuple[Path_, str]


def class_name(resource: str) -> str:
    """What the class of a resource is called."""
    made = camel(resource)
    return f"{made}Record" if made in TAKEN_CLASSES else made


def unknown(spec: PluginSpec) -> list[Unknown]:
    """The fields that refer to a resource of a required plugin that there is not, each with a sentence."""
    found: list[Unknown] = []
    for name, resource in spec.resources.items():
        for key, field in resource.fields.items():
            if isinstance(field, schema.ReferenceField) and "." in field.to and _table(field.to) is None:
                plugin, _dot, thing = field.to.partition(".")
                told = f"the plugin {plugin} has no resource {thing} with a key of one column"
                found.append((("resources", name, "fields", key, "to"), told))
    return found


def _table(to: str) -> Any:
    """The table of a required plugin's resource, which has a key of one column; None where there is none."""
    table = metadata.tables.get(to.replace(".", "_"))
    return table if table is not None and len(table.primary_key.columns) == 1 else None


def models(spec: PluginSpec) -> str:
    """The module ``models``."""
    module = Module(f"The tables of the plugin {spec.name}.")
    module.use("guildhall", "Id", "Mapped", "Model")
    for name, resource in _in_order(spec):
        lines = [f"\n\n\nclass {class_name(name)}(Model):", f'    __tablename__ = "{spec.name}_{name}"', ""]
        lines.append("    id: Mapped[Id]")
        if about := _table_args(module, spec, resource):
            lines.insert(2, f"    __table_args__ = {rendered(about, 4, 21)}")
        checks: set[str] = set()
        for key, field in resource.fields.items():
            kind, value = _column(module, spec, key, field, checks, ordered=key == resource.order.removeprefix("-"))
            if not (field.required or getattr(field, "default", None) is not None):
                kind += " | None"
            line = f"    {key}: Mapped[{kind}]"
            lines.append(line if value is None else f"{line} = {rendered(value, 4, len(line) + 3)}")
        if translated := [one for one in resource.fields.values() if getattr(one, "translated", False)]:
            lines.append(_translations(module, translated))
        if resource.soft_delete:
            module.use("guildhall", "Instant")
            lines.append("    deleted_at: Mapped[Instant | None]")
        if resource.title:
            field = resource.fields[resource.title]
            empty = not (field.required or getattr(field, "default", None) is not None)
            shown = f'self.{resource.title} or ""' if empty else f"self.{resource.title}"
            lines += ["", "    def __str__(self) -> str:", f"        return {shown}"]
        module.body.append("\n".join(lines))
    return module.text


def _table_args(module: Module, spec: PluginSpec, resource: ResourceSpec) -> tuple[Any, ...]:
    """Constraints over several columns, and former names, which a revision renames (``core.db.renames``)."""
    about: list[Any] = [Call("UniqueConstraint", list(keys)) for keys in resource.unique_together]
    if about:
        module.use("sqlalchemy", "UniqueConstraint")
    info: dict[str, Any] = {"was": f"{spec.name}_{resource.was}"} if resource.was else {}
    if were := {key: field.was for key, field in resource.fields.items() if field.was}:
        info["columns_were"] = were
    return (*about, *([{"info": info}] if info else []))


def _in_order(spec: PluginSpec) -> Iterator[tuple[str, ResourceSpec]]:
    """Resources, each after those it refers to."""
    done: set[str] = set()

    def visit(name: str) -> Iterator[tuple[str, ResourceSpec]]:
        if name in done:
            return
        done.add(name)
        for field in spec.resources[name].fields.values():
            if isinstance(field, schema.ReferenceField) and field.to in spec.resources:
                yield from visit(field.to)
        yield name, spec.resources[name]

    for name in spec.resources:
        yield from visit(name)


def _column(
    module: Module, spec: PluginSpec, key: str, field: AnyField, checks: set[str], *, ordered: bool
) -> tuple[str, Any]:
    """A column's annotation, and its ``mapped_column`` where the annotation does not say all."""
    args: list[Any] = []
    options: dict[str, Any] = {}
    kind = SIMPLE.get(getattr(field, "type", ""), "str")
    default = getattr(field, "default", None)
    if isinstance(field, schema.ChoiceField):
        return _choice(module, key, field, checks)
    if isinstance(field, schema.TextField):
        kind = _text(module, field, args, options)
    elif isinstance(field, schema.LongTextField) and field.search:
        kind = "FullText"
        if field.personal is not None:  # what the column says of itself takes the place of what its kind says
            options["info"] = {"full_text": True}
    elif isinstance(field, schema.DecimalField):
        kind = "Decimal"
        module.use("decimal", "Decimal")
        module.use("sqlalchemy", "Numeric")
        args.append(Call("Numeric", [field.digits, field.places]))
    elif isinstance(field, schema.AddressField):
        kind = {"evm": "EvmAddress", "tron": "TronAddress"}[field.chain]
    elif isinstance(field, schema.InstantField) and default == "now":
        kind, default = "CreatedAt", None
    elif isinstance(field, schema.ReferenceField) or (isinstance(field, schema.MemberField) and field.unique):
        table, column, kind = _target(spec, field)
        module.use("sqlalchemy", "ForeignKey")
        if kind == "UUID":
            module.use("uuid", "UUID")
        args.append(Call("ForeignKey", [f"{table}.{column}"], {"ondelete": _on_delete(field)}))
        options |= {} if field.unique else {"index": True}
    if field.unique:
        options["unique"] = True
    elif ordered and kind != "MemberRef":
        options["index"] = True
    if default is not None:
        options |= _defaults(default)
    if (personal := getattr(field, "personal", None)) is not None:
        options["info"] = {**options.get("info", {}), "pii": personal}
    if kind in SIMPLE.values() or kind[0].isupper():
        _use_kind(module, kind)
    if not args and not options:
        return kind, None
    module.use("sqlalchemy.orm", "mapped_column")
    return kind, Call("mapped_column", args, options)


def _translations(module: Module, translated: Sequence[AnyField]) -> str:
    """The column that holds texts in other languages; as personal as those."""
    module.use("guildhall", "Json")
    module.use("sqlalchemy.orm", "mapped_column")
    options: dict[str, Any] = {"default": Name("dict"), "server_default": "{}"}
    if all(getattr(one, "personal", None) is False for one in translated):
        options["info"] = {"pii": False}
    return f"    translations: Mapped[Json] = {rendered(Call('mapped_column', [], options))}"


def _use_kind(module: Module, kind: str) -> None:
    if kind == "dt.date":
        module.use_whole("import datetime as dt")
    elif kind not in ("bool", "str", "int", "Decimal", "UUID"):
        module.use("guildhall", kind)


def _text(module: Module, field: schema.TextField, args: list[Any], options: dict[str, Any]) -> str:
    if field.max_length == SHORT and not field.search:
        return "ShortText"
    plain = field.default is None and not field.unique and field.personal is None
    if field.max_length == SHORT and plain:
        return "SearchText"
    module.use("sqlalchemy", "String")
    args.append(Call("String", [field.max_length]))
    if field.search:
        options["info"] = {"search": True}
    return "str"


def _choice(module: Module, key: str, field: schema.ChoiceField, checks: set[str]) -> tuple[str, Any]:
    module.use("guildhall", "choice")
    options: dict[str, Any] = {"default": field.default} if field.default is not None else {}
    name = "_".join(field.values)[:30]
    if name in checks:  # the table has a constraint of that name, from a choice of the same values
        name = options["name"] = f"{key}_values"
    checks.add(name)
    return "str", Call("choice", list(field.values), options)


def _defaults(default: Any) -> dict[str, Any]:
    """Of new records, and of rows that are there already when the column comes."""
    if isinstance(default, bool):
        return {"default": default, "server_default": str(default).lower()}
    if isinstance(default, str):
        return {"default": Long(default), "server_default": Long(default)}
    return {"default": default, "server_default": str(default)}


def _on_delete(field: AnyField) -> str:
    return ON_DELETE[field.on_delete] if isinstance(field, schema.ReferenceField) else "RESTRICT"


def _target(spec: PluginSpec, field: AnyField) -> tuple[str, str, str]:
    """Table, key column and its Python type of what a field refers to."""
    if not isinstance(field, schema.ReferenceField):
        return "core_member", "id", "UUID"
    if "." not in field.to:
        return f"{spec.name}_{field.to}", "id", "UUID"
    table = _table(field.to)
    [column] = table.primary_key.columns
    kind = {"UUID": "UUID", "int": "int"}.get(column.type.python_type.__name__, "str")
    return table.name, column.name, kind
