"""Carry what was entered in the form over into the text: what the form does not show, comments and order stay."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from decimal import Decimal
from io import StringIO
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from core.i18n import _
from core.studio.errors import NotShown
from core.studio.outline import ACTIONS, Odd, expanded, grantable, outline
from core.yamlplugin.reading import FIELD_TYPES, SETTING_TYPES
from core.yamlplugin.schema import ComputedSpec, PluginSpec, ResourceSpec
from core.yamlplugin.source import parse

Form = Mapping[str, Any]
Known = Mapping[str, Sequence[str]]
_WHOLE = re.compile(r"^[-+]?[0-9]{1,40}$")
_BREAKING = re.compile("[\\x00-\\x1f\\x7f-\\x9f\\u2028\\u2029\\ufeff]")
_NUMBER = re.compile(r"^[-+]?[0-9]{1,40}\.[0-9]{1,40}$")
FLAGS = frozenset(
    {
        *("required", "unique", "filter", "search", "bulk", "hidden", "translated"),
        *("few", "soft_delete", "folded", "reason", "danger"),
    }
)
WHOLE = frozenset({"max_length", "digits", "places", "max_bytes"})
SHORT = ("fields", "computed", "settings")  # whose parts stand in a line each


def merged(text: str, form: Form, versions: Mapping[str, str], known: Known | None = None) -> str:
    """The text with what ``form`` says: of the shape of ``outline``, with ``was`` in each named item, its name before.

    ``versions`` are the installed plugins' by name: a plugin that a field refers to is required from its version on.
    ``known`` are the fields of each resource as the plugin's folder has them; what has another name says what it was.
    Raises Unreadable for a text that cannot be read, NotShown for a form that cannot be carried over.
    """
    plain = parse(text).value
    if plain is not None and outline(plain) is None:
        raise NotShown(problem=_("Mend the text first: the form cannot show it."))
    yaml = _yaml()
    root = yaml.load(text)
    if not isinstance(root, CommentedMap):
        root, plain = CommentedMap(), {}
    try:
        _plugin(root, plain, _followed(form), versions, known or {})
    except (KeyError, TypeError, AttributeError, ValueError, IndexError, Odd):
        raise NotShown(problem=_("The form is not whole. Load the page again.")) from None
    out = StringIO()
    yaml.dump(root, out)
    return out.getvalue()


def _yaml() -> YAML:
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 4096
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.representer.add_representer(
        Decimal, lambda made, value: made.represent_scalar("tag:yaml.org,2002:float", str(value))
    )
    return yaml


def _plugin(
    root: CommentedMap, plain: Mapping[str, Any], form: Form, versions: Mapping[str, str], known: Known
) -> None:
    before = str(plain.get("name") or "")
    for key in ("name", "version", "label", "description", "icon"):
        _put(root, plain, key, form[key], None if key in ("name", "version", "label") else _default(PluginSpec, key))
    _group(root, plain, "settings", form["settings"], _setting)
    _group(root, plain, "resources", form["resources"], _resource)
    _keep_former(root, plain, form, known)
    _group(root, plain, "permissions", form["permissions"], None)
    _roles(root, plain, form, before)
    for resource in form["resources"]:
        for field in resource["fields"]:
            other = str(field.get("to", "")).partition(".")[0] if "." in str(field.get("to", "")) else ""
            if other and other != form["name"] and other in versions and field["type"] == "reference":
                root.setdefault("requires", _flow(CommentedMap())).setdefault(other, f">={versions[other]}")


def _resource(there: CommentedMap, plain: Mapping[str, Any], form: Form) -> None:
    for key in ("label", "label_plural", "icon", "title", "owner", "order", "few", "soft_delete"):
        _put(there, plain, key, form[key], _default(ResourceSpec, key))
    _put(there, plain, "columns", form["columns"], ())
    _group(there, plain, "fields", form["fields"], _field)
    _group(there, plain, "computed", form["computed"], _computed)
    for key in ("sections", "inline", "transitions", "operations"):
        _parts(there, plain, key, form[key])
    _follow(there, form["_fields"])


def _follow(there: CommentedMap, names: Mapping[str, str]) -> None:
    """Carry other names of fields over into what the form does not show."""
    for one in [*(there.get("rows") or ()), *(there.get("unique_together") or ())]:
        for key in one if isinstance(one, CommentedMap) else range(len(one)) if isinstance(one, CommentedSeq) else ():
            if isinstance(one[key], str) and one[key] in names and key not in ("run", "permission"):
                one[key] = names[one[key]]


def _keep_former(root: CommentedMap, plain: Mapping[str, Any], form: Form, known: Known) -> None:
    """What each resource and field was called where the plugin is installed, and so in the database."""
    were = plain.get("resources") or {}
    present = {str(one["name"]) for one in form["resources"]}
    for resource in form["resources"]:
        there, before = root["resources"][str(resource["name"])], were.get(str(resource.get("was") or "")) or {}
        former = _former(str(resource["name"]), str(resource.get("was") or ""), before, known, present)
        _say_former(there, former)
        fields = known.get(former or str(resource["name"]), ())
        names = {str(one["name"]) for one in resource["fields"]}
        for one in resource["fields"]:
            was = str(one.get("was") or "")
            said = (before.get("fields") or {}).get(was) or {}
            _say_former(there["fields"][str(one["name"])], _former(str(one["name"]), was, said, fields, names))


def _former(name: str, was: str, said: Mapping[str, Any], known: Collection[str], present: Collection[str]) -> str:
    """The name that is known of what was called ``was`` before this form; "" where it is the present one, or new."""
    former = next((one for one in (was, str(said.get("was") or "")) if one in known), "")
    return former if former not in present else ""


def _say_former(there: CommentedMap, former: str) -> None:
    if former:
        there["was"] = former
    else:
        there.pop("was", None)


def _field(there: CommentedMap, plain: Mapping[str, Any], form: Form) -> None:
    kind = FIELD_TYPES.get(form["type"])
    known = kind.model_fields if kind else {}
    _put(there, plain, "type", form["type"], None)
    for key in list(there):  # of another type
        if kind and key not in known:
            del there[key]
    for key in known:
        if key in form and key not in ("type", "values", "was"):
            value = _default_value(form["type"], form[key]) if key == "default" else form[key]
            _put(there, plain, key, value, _default(kind, key), as_is=key == "default")
    if "values" in known:
        given = form.get("values") or [{"name": "new", "colour": "blue"}, {"name": "done", "colour": "green"}]
        values = [one["name"] for one in given if one["name"] != ""]
        _put(there, plain, "values", values, None)
        colours = {one["name"]: one["colour"] for one in given if one["name"] != "" and one["colour"]}
        if dict(plain.get("colours") or {}) != colours:
            there.pop("colours", None)
            if colours:
                there["colours"] = _flow(CommentedMap(colours))


def _setting(there: CommentedMap, plain: Mapping[str, Any], form: Form) -> None:
    kind = SETTING_TYPES.get(form["type"])
    known = kind.model_fields if kind else {}
    _put(there, plain, "type", form["type"], None)
    for key in list(there):  # of another type
        if kind and key not in known:
            del there[key]
    for key in known:
        if key in ("default", "min", "max"):
            _put(there, plain, key, _default_value(form["type"], form.get(key, "")), None, as_is=True)
        elif key == "values":
            values = [one.strip() for one in str(form.get(key) or "low, high").split(",")]
            _put(there, plain, key, values, None)
        elif key in form and key != "type":
            _put(there, plain, key, form[key], _default(kind, key))


def _computed(there: CommentedMap, plain: Mapping[str, Any], form: Form) -> None:
    for key in ("run", "label", "type", "help"):
        _put(there, plain, key, form[key], _default(ComputedSpec, key))


def _default_value(kind: str, given: str) -> Any:
    """A default by its field's type; what cannot be one stays text, and is told at its place."""
    if kind in ("integer", "amount") and _WHOLE.match(given):
        return int(given)
    if kind == "decimal" and _NUMBER.match(given):
        return Decimal(given)
    if kind == "decimal" and _WHOLE.match(given):
        return int(given)
    if kind == "boolean" and given in ("true", "false"):
        return given == "true"
    return given


def _put(
    there: CommentedMap, plain: Mapping[str, Any], key: str, given: Any, usual: Any, *, as_is: bool = False
) -> None:
    """Set ``key``, or leave it out where it says what is usual; what says the same already stays as it is written."""
    value = given
    if isinstance(given, list):
        value = [str(one) for one in given if str(one) != ""]
    elif key in FLAGS:
        value = given is True
    elif key in WHOLE and _WHOLE.match(str(given)):
        value = int(given)
    elif not as_is:
        value = str(given)
    if isinstance(value, str):
        value = _quoted(value)
    if key in plain and plain[key] == value and isinstance(plain[key], bool) is isinstance(value, bool):
        return
    empty = value == "" or (not as_is and (value == [] or value is False))
    same = value == (list(usual) if isinstance(usual, tuple) else usual)
    if (usual is not None and same) or (empty and not _must(key, usual)):
        there.pop(key, None)
    else:
        there[key] = _flow(CommentedSeq(value)) if isinstance(value, list) else value


def _quoted(text: str) -> str:
    """``text``, in quotes where it holds characters that YAML outside of them takes for the end of a line."""
    return DoubleQuotedScalarString(text) if _BREAKING.search(text) else text


def _must(key: str, usual: Any) -> bool:
    """Whether a key is written though it be empty, so that its absence is told at its place."""
    return usual is None and key in ("name", "version", "label", "type", "values")


def _group(
    there: CommentedMap, plain: Mapping[str, Any], key: str, items: Sequence[Form], put: Callable[..., None] | None
) -> None:
    """The named items of a mapping, in the order of the form; ``put`` fills one, None: each is its label alone."""
    old = there.get(key)
    old = old if isinstance(old, CommentedMap) else CommentedMap()
    was = dict(plain.get(key) or {})
    names = [str(one["name"]) for one in items]
    if twice := [name for name in dict.fromkeys(names) if names.count(name) > 1]:
        raise NotShown(problem=_("Two are called {name}. Give one another name.").format(name=twice[0] or "–"))
    same = list(was) == names and all(one.get("was") == one["name"] for one in items)
    made = old if same else _flow_as(old, CommentedMap())
    for one in items:
        name, before = str(one["name"]), str(one.get("was") or "")
        if put is None:
            made[name] = old[before] if was.get(before) == one["label"] else _quoted(str(one["label"]))
        else:
            child = old.get(before) if before in was else None
            if not isinstance(child, CommentedMap):
                child = _flow(CommentedMap()) if key in SHORT else CommentedMap()
            put(child, was.get(before) or {}, one)
            made[name] = child
        if not same and before in old.ca.items:
            made.ca.items[name] = old.ca.items[before]
    if made:
        there[key] = made
    elif key == "fields":
        there[key] = _flow(CommentedMap())
    else:
        there.pop(key, None)


def _parts(there: CommentedMap, plain: Mapping[str, Any], key: str, items: Sequence[Form]) -> None:
    """The items of a list; what the form does not show of one stays, found by where it ``was``."""
    old, was = there.get(key), list(plain.get(key) or [])
    made = CommentedSeq()
    for one in items:
        at = int(one["was"]) if str(one.get("was", "")).isdigit() and int(one["was"]) < len(was) else -1
        child = old[at] if at >= 0 and isinstance(old[at], CommentedMap) else _flow(CommentedMap())
        for name in one:
            if name != "was":
                _put(child, was[at] if at >= 0 else {}, name, one[name], "" if not isinstance(one[name], list) else ())
        made.append(child)
        if at >= 0 and at in old.ca.items:  # the comment behind it
            made.ca.items[len(made) - 1] = old.ca.items[at]
    if isinstance(old, CommentedSeq) and len(old) == len(made) and all(a is b for a, b in zip(old, made, strict=True)):
        return  # each is where it was
    if made:
        there[key] = made
    else:
        there.pop(key, None)


def _roles(root: CommentedMap, plain: Mapping[str, Any], form: Form, before: str) -> None:
    """Write a role's grants anew where they mean something else than they did; grants of other plugins' things stay."""
    name, now = str(form["name"]), {**form, "resources": {one["name"]: {} for one in form["resources"]}}
    known = {one["name"]: list(ACTIONS) for one in form["resources"]}
    old_known = grantable(plain)
    for thing, actions in old_known.items():
        known[form["_resources"].get(thing, thing)] = actions
    known |= {one: acts for one, acts in grantable(_values(now, form)).items() if one not in known}
    roles = root.get("roles")
    roles = roles if isinstance(roles, CommentedMap) else CommentedMap()
    for role in form["roles"]:
        held = [str(one) for one in roles.get(role["name"]) or ()]
        had = {_renamed(one, form["_resources"]) for one in expanded(held, old_known, before)}
        wanted = {_renamed(one, form["_resources"]) for one in role["grants"]}
        wanted = {one for one in wanted if one.partition(":")[2] in known.get(one.partition(":")[0], ())}
        if wanted == had and before == name and not form["_resources"]:
            continue
        others = [one for one in held if one.partition(":")[0] != before]
        grants = [*others, *_grants(name, wanted, known)]
        if grants:
            roles[role["name"]] = _flow(CommentedSeq(grants))
        else:
            roles.pop(role["name"], None)
    if roles:
        root["roles"] = roles
    else:
        root.pop("roles", None)


def _values(now: Form, form: Form) -> dict[str, Any]:
    return {"name": form["name"], "permissions": {str(one["name"]): "" for one in form["permissions"]}}


def _grants(plugin: str, wanted: set[str], known: Mapping[str, Sequence[str]]) -> list[str]:
    """The fewest grants that mean ``wanted``: one for all of a thing where that is what is wanted."""
    found = []
    for thing, actions in known.items():
        held = [action for action in actions if f"{thing}:{action}" in wanted]
        found += (
            [f"{plugin}:{thing}:*"]
            if held and len(held) == len(actions)
            else [f"{plugin}:{thing}:{one}" for one in held]
        )
    return found


def _renamed(grant: str, names: Mapping[str, str]) -> str:
    thing, _sep, action = grant.partition(":")
    return f"{names.get(thing, thing)}:{action}"


def _followed(form: Form) -> dict[str, Any]:
    """The form, with every mention of what has another name now; ``_resources`` says which resources have."""
    resources = {
        str(one["was"]): str(one["name"]) for one in form["resources"] if one.get("was") and one["was"] != one["name"]
    }
    fields = {
        str(one["name"]): {
            str(f["was"]): str(f["name"]) for f in one["fields"] if f.get("was") and f["was"] != f["name"]
        }
        for one in form["resources"]
    }
    made = []
    for one in form["resources"]:
        new = fields[str(one["name"])]
        order = str(one["order"])
        sign = "-" if order.startswith("-") else ""
        made.append(
            {
                **one,
                "_fields": new,
                "title": _now(new, one["title"]),
                "owner": _now(new, one["owner"]),
                "order": f"{sign}{_now(new, order.removeprefix('-'))}",
                "columns": [_now(new, given) for given in one["columns"]],
                "fields": [{**f, "to": resources.get(f.get("to", ""), f.get("to", ""))} for f in one["fields"]],
                "sections": [{**s, "fields": [_now(new, given) for given in s["fields"]]} for s in one["sections"]],
                "transitions": [{**t, "field": _now(new, t["field"])} for t in one["transitions"]],
                "inline": [
                    {
                        **i,
                        "resource": (other := resources.get(i["resource"], i["resource"])),
                        "by": fields.get(other, {}).get(i["by"], i["by"]),
                    }
                    for i in one["inline"]
                ],
            }
        )
    return {**form, "resources": made, "_resources": resources}


def _now(names: Mapping[str, str], given: str) -> str:
    """What is called ``given`` by its name now."""
    return names.get(given, given)


def _default(model: Any, key: str) -> Any:
    return model.model_fields[key].get_default() if model and key in model.model_fields else None


def _flow(made: Any) -> Any:
    made.fa.set_flow_style()
    return made


def _flow_as(old: Any, made: Any) -> Any:
    if old.fa.flow_style():
        made.fa.set_flow_style()
    return made
