"""What was expected where a ``plugin.yaml`` is not well-formed, in words."""

from __future__ import annotations

from pydantic_core import ErrorDetails

from core.yamlplugin import schema

_EXPECTED = {
    "string_type": "text is expected",
    "int_type": "a whole number is expected",
    "bool_type": "true or false is expected",
    "decimal_type": "a number is expected",
    "is_instance_of": "a number is expected",
    "dict_type": "a mapping of names to values is expected",
    "model_type": "a mapping of names to values is expected",
    "model_attributes_type": "a mapping of names to values is expected",
    "tuple_type": "a list is expected",
    "list_type": "a list is expected",
}
_FORMS = {
    schema.SLUG: "small letters, digits and single underscores, such as `due_date`",
    r"^[a-z0-9]+(-[a-z0-9]+)*$": "the name of an icon, such as `calendar`",
    r"^[a-z][a-z0-9_]*$": "the name of a function of actions.py, such as `thank_author`",
    r"^[a-z0-9_]+:[a-z0-9_]+:[a-z0-9_]+$": "a permission, `plugin:resource:action`",
    r"^[a-z0-9_]+:([a-z0-9_]+|\*):([a-z0-9_]+|\*)$": "`plugin:resource:action`; `*` stands for all",
    r"^[a-z0-9_]+\.[a-z0-9_]+\.[a-z0-9_]+$": "the name of an event, `plugin.thing.verb`",
    r"^[a-z0-9]+([_-][a-z0-9]+)*$": "small letters, digits, dashes and underscores, such as `in_review`",
    r"^[a-z0-9_]+(\.[a-z0-9_]+)?$": "the name of a resource, or `plugin.resource`",
    r"^-?[a-z][a-z0-9_]*$": "the name of a field, perhaps with `-` before it",
}


def expected(error: ErrorDetails) -> str:
    """What would have been right."""
    kind, context = error["type"], error.get("ctx", {})
    if kind in _EXPECTED:
        return _EXPECTED[kind]
    if kind == "string_pattern_mismatch":
        return f"{_FORMS.get(context['pattern'], 'another form')} is expected"
    if kind == "literal_error":
        return f"{context['expected']} is expected"
    return {
        "string_too_long": "at most {max_length} characters are expected",
        "string_too_short": "something is expected",
        "too_long": "at most {max_length} are expected",
        "too_short": "at least {min_length} is expected",
        "greater_than_equal": "at least {ge} is expected",
        "less_than_equal": "at most {le} is expected",
    }.get(kind, error["msg"]).format(**context)


def given_instead(error: ErrorDetails) -> str:
    """What stands there instead, if it says something."""
    given = error["input"]
    kinds = {bool: "a yes or no", dict: "a mapping", list: "a list"}
    if given is None:
        return ", not nothing"
    if type(given) in kinds:
        return f", not {kinds[type(given)]}"
    if error["type"] == "string_type":
        return f', not the number {given}; write "{given}" in quotes'
    return f", not {str(given)[:40]!r}"
