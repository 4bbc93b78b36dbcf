"""A ``plugin.yaml`` as the Python that an integrator would write: its tables, settings, forms and manifest.

What runs and what ``guildhall plugin eject`` writes are the same text, so that the two cannot differ.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from core.yamlplugin import schema
from core.yamlplugin.automation_checks import definition_of
from core.yamlplugin.layout import Call, Long, Name, rendered, said
from core.yamlplugin.modulefile import Module, camel
from core.yamlplugin.rows import visible
from core.yamlplugin.schema import AnySetting, PluginSpec, ResourceSpec
from core.yamlplugin.tables import Unknown, class_name, models, unknown


def settings_name(plugin: str) -> str:
    """What the class of a plugin's settings is called."""
    return f"{camel(plugin)}Settings"


def form_name(resource: str, operation: str) -> str:
    """What the class of an operation's form is called."""
    return f"{camel(resource)}{camel(operation)}Form"


def modules(spec: PluginSpec) -> tuple[dict[str, str], list[Unknown]]:
    """The text of each module that the plugin has, in the order in which they can be run.

    Tables of required plugins must be known; the second value names the fields that refer to one that there is not.
    """
    missing = unknown(spec)
    if missing:
        return {}, missing
    found = {}
    if spec.settings:
        found["settings"] = _settings(spec)
    if spec.resources:
        found["models"] = models(spec)
    if any(operation.form for resource in spec.resources.values() for operation in resource.operations):
        found["forms"] = _forms(spec)
    found["plugin"] = _plugin(spec)
    return found, []


def _settings(spec: PluginSpec) -> str:
    module = Module(f"The settings of the plugin {spec.name}.")
    module.use("guildhall", "Settings")
    module.body.append(f"\n\n\nclass {settings_name(spec.name)}(Settings):")
    module.body += _attributes(module, spec.settings)
    return module.text


def _forms(spec: PluginSpec) -> str:
    module = Module(f"What the operations of the plugin {spec.name} ask for.")
    module.use("pydantic", "BaseModel", "ConfigDict")
    for name, resource in spec.resources.items():
        for operation in resource.operations:
            if operation.form:
                module.body.append(f"\n\n\nclass {form_name(name, operation.name)}(BaseModel):\n")
                module.body.append('    model_config = ConfigDict(frozen=True, extra="forbid")\n')
                module.body += _attributes(module, operation.form)
    return module.text


def _attributes(module: Module, given: Mapping[str, AnySetting]) -> Iterator[str]:
    """The attributes of a pydantic model."""
    kinds = {"text": "str", "integer": "int", "decimal": "Decimal", "boolean": "bool"}
    for name, one in given.items():
        kind = kinds.get(getattr(one, "type", ""), "")
        if isinstance(one, schema.ChoiceSetting):
            module.use("typing", "Literal")
            kind = f"Literal{rendered(list(one.values))}"
        options: dict[str, Any] = {}
        if isinstance(one, schema.DecimalSetting):
            module.use("decimal", "Decimal")
        for key, option in (("min", "ge"), ("max", "le"), ("max_length", "max_length")):
            if (value := getattr(one, key, None)) is not None:
                options[option] = value
        if one.label:
            options["title"] = said(one.label)
        if one.help:
            options["description"] = said(one.help)
        if one.label or one.help:
            module.use("guildhall", "_")
        default = getattr(one, "default", None)
        module.use("pydantic", "Field")
        first = [] if default is None else [Long(default) if isinstance(default, str) else default]
        line = f"\n    {name}: {kind} = "
        yield line + rendered(Call("Field", first, options), 4, len(line) - 1)


def _plugin(spec: PluginSpec) -> str:
    module = Module(f"The plugin {spec.name}.")
    module.use("guildhall", "Plugin", "_")
    options: dict[str, Any] = {"version": spec.version, "label": said(spec.label)}
    options |= {"description": said(spec.description)} if spec.description else {}
    options |= {"icon": spec.icon} if spec.icon != _default(PluginSpec, "icon") else {}
    options |= {"requires": dict(spec.requires)} if spec.requires else {}
    if spec.settings:
        module.use(".settings", settings_name(spec.name))
        options["settings"] = Name(settings_name(spec.name))
    if spec.resources:
        module.use("guildhall", "Resource")
        module.use(".", "models")
        options["resources"] = [_resource(module, name, one) for name, one in spec.resources.items()]
    if spec.permissions:
        module.use("guildhall", "Permission")
        options["permissions"] = [Call("Permission", [name, said(text)]) for name, text in spec.permissions.items()]
    if spec.roles:
        module.use("guildhall", "Role")
        options["roles"] = [Call("Role", [role, tuple(grants)]) for role, grants in spec.roles.items()]
    if spec.subscribers:
        options["subscribers"] = list(_subscribers(module, spec))
    if spec.automations:
        module.use("guildhall", "Suggestion")
        options["automations"] = [_suggestion(name, one) for name, one in spec.automations.items()]
    if spec.translations:
        options["translations"] = {
            language: {text: Long(own) for text, own in texts.items()} for language, texts in spec.translations.items()
        }
    module.body.append("\n\nplugin = " if not module.body else "\n\n\nplugin = ")
    module.body.append(rendered(Call("Plugin", [spec.name], options, open=True)))
    return module.text


def _default(model: type[schema.Part], name: str) -> Any:
    return model.model_fields[name].default


def _subscribers(module: Module, spec: PluginSpec) -> Iterator[Call]:
    module.use("guildhall", "Subscriber")
    module.use(".", "actions")
    for one in spec.subscribers:
        handler = f"actions.{one.run}"
        if one.when:
            module.use("guildhall", "Actor", "StoredEvent", "read_settings")
            module.use("sqlalchemy.orm", "Session")
            module.body.append(
                f"\n\n\ndef {one.run}(session: Session, actor: Actor, event: StoredEvent) -> None:\n"
                f"    if read_settings(session, {settings_name(spec.name)}).{one.when}:\n"
                f"        {handler}(session, actor, event)"
            )
            handler = one.run
        yield Call("Subscriber", [], {"event": one.on, "handler": Name(handler)})


def _suggestion(name: str, one: schema.AutomationSpec) -> Call:
    options: dict[str, Any] = {"name": name, "label": said(one.label)}
    options |= {"description": said(one.description)} if one.description else {}
    return Call("Suggestion", [], options | {"definition": definition_of(one)})


def _resource(module: Module, name: str, spec: ResourceSpec) -> Call:
    options: dict[str, Any] = {}
    for key in ("label", "label_plural"):
        if text := getattr(spec, key):
            options[key] = said(text)
    plain = ("icon", "order", "owner", "few", "audit", "events", "restorable", "rest", "menu")
    for key in (*plain, "soft_delete", "keep_deleted_days"):
        if (value := getattr(spec, key)) != _default(ResourceSpec, key):
            options[key] = value
    if spec.actions != _default(ResourceSpec, "actions"):
        options["actions"] = tuple(spec.actions)
    fields = spec.fields.items()
    named: dict[str, Iterable[str]] = {
        "columns": spec.columns,
        "search": sorted(  # a short text comes first, which records are named by
            (key for key, one in fields if getattr(one, "search", False)),
            key=lambda key: isinstance(spec.fields[key], schema.LongTextField),
        ),
        "filters": (key for key, one in fields if one.filter),
        "translated": (key for key, one in fields if getattr(one, "translated", False)),
        "hidden": (key for key, one in fields if one.hidden),
        "bulk": (key for key, one in fields if one.bulk),
    }
    options |= {key: found for key, names in named.items() if (found := tuple(names))}
    options |= {to: texts for to, what in (("labels", "label"), ("help", "help")) if (texts := _texts(spec, what))}
    states = {key: dict(one.colours) for key, one in fields if isinstance(one, schema.ChoiceField) and one.colours}
    options |= {"states": states} if states else {}
    if spec.sections:
        module.use("guildhall", "Section")
        options["sections"] = [
            Call("Section", [], _given(one, {"title": said(one.title), "fields": tuple(one.fields)}))
            for one in spec.sections
        ]
    if spec.inline:
        module.use("guildhall", "Inline")
        options["inline"] = [
            Call("Inline", [], {"model": Name(f"models.{class_name(one.resource)}"), "by": one.by} | _given(one, {}))
            for one in spec.inline
        ]
    if spec.operations:
        module.use("guildhall", "Operation")
        module.use(".", "actions")
        options["operations"] = [_operation(module, name, one) for one in spec.operations]
    if spec.transitions:
        module.use("guildhall", "Transition")
        options["transitions"] = [_transition(one) for one in spec.transitions]
    if spec.rows:
        options["visible"] = Name(visible(module, name, spec))
    initial = {key: tuple(one.initial) for key, one in fields if isinstance(one, schema.ChoiceField) and one.initial}
    options |= {"initial": initial} if initial else {}
    if spec.computed:
        module.use("guildhall", "Computed")
        module.use(".", "actions")
        options["computed"] = [_computed(key, one) for key, one in spec.computed.items()]
    files = {key: _upload(module, name, key, one) for key, one in fields if isinstance(one, schema.FileField)}
    options |= {"files": files} if files else {}
    return Call("Resource", [Name(f"models.{class_name(name)}")], options, open=len(options) > 3)


def _texts(spec: ResourceSpec, what: str) -> dict[str, Any]:
    return {key: said(getattr(one, what)) for key, one in spec.fields.items() if getattr(one, what)}


def _given(one: schema.Part, options: dict[str, Any]) -> dict[str, Any]:
    """``options`` and what a part says beside, where it differs from the default."""
    for key, about in type(one).model_fields.items():
        value = getattr(one, key)
        if key in options or value == about.default or key in ("resource", "by"):
            continue
        options[key] = said(value) if key in ("title", "help", "label") else value
    return options


def _operation(module: Module, resource: str, one: schema.OperationSpec) -> Call:
    options: dict[str, Any] = {"name": one.name, "label": said(one.label), "permission": one.permission}
    options["run"] = Name(f"actions.{one.run}")
    if one.form:
        module.use(".", "forms")
        options["form"] = Name(f"forms.{form_name(resource, one.name)}")
    for key in ("icon", "danger"):
        if (value := getattr(one, key)) != _default(schema.OperationSpec, key):
            options[key] = value
    return Call("Operation", [], options | ({"help": said(one.help)} if one.help else {}))


def _transition(one: schema.TransitionSpec) -> Call:
    options: dict[str, Any] = {}
    for key in ("permission", "label", "reason", "name", "icon", "danger"):
        if (value := getattr(one, key)) != _default(schema.TransitionSpec, key):
            options[key] = said(value) if key == "label" else value
    return Call("Transition", [one.field, tuple(one.from_), one.to], options)


def _computed(key: str, one: schema.ComputedSpec) -> Call:
    options: dict[str, Any] = {"name": key, "label": said(one.label), "kind": one.type}
    options |= {"help": said(one.help)} if one.help else {}
    return Call("Computed", [], options | {"load": Name(f"actions.{one.run}")})


def _upload(module: Module, resource: str, key: str, one: schema.FileField) -> Call:
    kinds = [kind.upper() for kind in one.allowed]
    module.use("guildhall", "Upload", *kinds)
    label = said(one.label or key.replace("_", " ").capitalize())
    options: dict[str, Any] = {"name": f"{resource}_{key}", "label": label, "allowed": Name(" | ".join(kinds))}
    return Call("Upload", [], options | ({"max_bytes": one.max_bytes} if one.max_bytes else {}))
