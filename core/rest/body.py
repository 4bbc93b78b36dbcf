"""Reading JSON that strangers wrote: whatever is sent, it becomes a value or a refusal."""

from __future__ import annotations

import json
import math
import re
from itertools import accumulate
from typing import Any, NoReturn

import marshmallow as ma
from flask import Request
from webargs.core import missing
from webargs.flaskparser import FlaskParser, abort, is_json_request
from webargs.multidictproxy import MultiDictProxy

from core.errors import Invalid
from core.i18n import _

LONGEST_PARAMETER = 2000  # characters
DEEPEST = 500
_TEXT_AND_REST = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[^][{}"]++', re.DOTALL)
UTF_8 = ("utf-8", "utf8", "us-ascii")


class NotJson(Invalid):
    """What was sent is no JSON by RFC 8259, or holds a number that nobody can compute with."""

    code = "BAD_REQUEST"
    status = 400
    sentence = _("This is not JSON: {problem}.")


class DuplicateKey(Invalid):
    """An object names a key twice: readers would disagree about which value counts."""

    code = "DUPLICATE_KEY"
    status = 400
    sentence = _("The key {key} is given twice. Give it once.")


def read_json(written: str | bytes) -> Any:
    """The value of ``written``, UTF-8 when it is bytes.

    Stricter than Python's reader: NaN, the infinities, numbers too large to be read back, keys given twice and nesting
    deeper than 500 are refused. Raises NotJson, DuplicateKey.
    """
    try:
        text = written.decode() if isinstance(written, bytes) else written
        if text.count("[") + text.count("{") > DEEPEST:
            _check_depth(text)
        return _DECODER.decode(text)
    except (ValueError, RecursionError) as problem:
        raise NotJson(problem=_short(problem)) from None


def _check_depth(text: str) -> None:
    """Raise RecursionError for nesting deeper than DEEPEST.

    Python's own reader does so by the recursion limit, and ends the process where a library has raised that.
    """
    brackets = _TEXT_AND_REST.sub("", text)
    if max(accumulate(1 if one in "[{" else -1 for one in brackets), default=0) > DEEPEST:
        raise RecursionError


def _short(problem: Exception) -> str:
    """Where reading stopped, without what was sent."""
    if isinstance(problem, json.JSONDecodeError):
        return f"{problem.msg}, line {problem.lineno} column {problem.colno}"
    if isinstance(problem, UnicodeDecodeError):
        return "it is not UTF-8"
    return "it is nested too deeply" if isinstance(problem, RecursionError) else "a number is too large"


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _value in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise DuplicateKey(key=repr(twice[:60]))
    return made


def _no_number(name: str) -> NoReturn:
    raise NotJson(problem=f"it has no {name}")


def _float(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _no_number("infinite number")


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_no_number, parse_float=_float)


class BodyParser(FlaskParser):
    """webargs' parser for bodies and addresses by strangers."""

    DEFAULT_UNKNOWN_BY_LOCATION = {**FlaskParser.DEFAULT_UNKNOWN_BY_LOCATION, "query": None}  # the schema decides

    def load_json(self, req: Request, schema: Any) -> Any:
        """The body. Raises what read_json does, and 415 for another content type or character set."""
        body = req.get_data(cache=True)
        if not body:
            return missing
        if not is_json_request(req) or req.mimetype_params.get("charset", "utf-8").lower() not in UTF_8:
            abort(415)
        return read_json(body)

    def load_querystring(self, req: Request, schema: ma.Schema) -> Any:
        """The parameters of the address; one that takes one value is given once, and none is longer than any needs."""
        found: MultiDictProxy = super().load_querystring(req, schema)
        twice = [key for key, values in req.args.lists() if len(values) > 1 and key not in found.multiple_keys]
        if twice:
            raise Invalid({key: [_("Give this once.")] for key in twice})
        if long := [key for key, values in req.args.lists() if max(map(len, values)) > LONGEST_PARAMETER]:
            raise Invalid({key: [_("This is too long.")] for key in long})
        return found
