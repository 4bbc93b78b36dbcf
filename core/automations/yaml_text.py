"""The YAML of automations: read with the place of each mistake, and written."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.tokens import (
    AliasToken,
    AnchorToken,
    BlockEndToken,
    BlockMappingStartToken,
    BlockSequenceStartToken,
    FlowMappingEndToken,
    FlowMappingStartToken,
    FlowSequenceEndToken,
    FlowSequenceStartToken,
    TagToken,
)

from core.automations.definition import Definition
from core.automations.errors import DefinitionInvalid, FileInvalid
from core.i18n import _

LARGEST = 500_000  # characters
MOST = 200  # automations of a file
MOST_VALUES = 20_000
DEEPEST = 50
OPENING = (FlowSequenceStartToken, FlowMappingStartToken, BlockSequenceStartToken, BlockMappingStartToken)
CLOSING = (FlowSequenceEndToken, FlowMappingEndToken, BlockEndToken)
TEXTS = ("name", "description")
PARTS = (*TEXTS, "trigger", "condition", "actions", "limits", "origin")


def written(told: Any) -> str:
    """JSON as YAML."""
    yaml = YAML()
    yaml.width = 120
    yaml.indent(mapping=2, sequence=4, offset=2)
    out = io.StringIO()
    yaml.dump(told, out)
    return out.getvalue()


def parsed(text: str) -> tuple[CommentedMap, list[tuple[dict[str, str], Definition]]]:
    """A file as it was read, and of each of its automations name and description and what it says.

    Raises FileInvalid with details by ``line:column``.
    """
    problems: dict[str, list[str]] = {}
    wanted: list[tuple[dict[str, str], Definition]] = []
    whole = _loaded(text)
    for place, given in enumerate(_automations(whole)):
        where = Places(whole, ("automations", place))
        if not isinstance(given, CommentedMap):
            problems.setdefault(where.of(()), []).append(_("Give an automation with a name, a trigger and actions."))
            continue
        for key in given:
            if key not in PARTS:
                problems.setdefault(where.of((key,)), []).append(_("An automation has no such part."))
        texts = {key: given[key] for key in TEXTS if key in given}
        for key in TEXTS:
            if not isinstance(texts.get(key, "" if key != "name" else None), str):
                problems.setdefault(where.of((key,)), []).append(_("Give a text."))
        try:
            said = Definition.read(_plain({key: given[key] for key in given if key in PARTS and key not in TEXTS}))
            wanted.append((texts, said))
        except DefinitionInvalid as refused:
            for path, sentences in refused.details.items():
                problems.setdefault(where.of(tuple(path.split("."))), []).extend(sentences)
    if problems:
        raise FileInvalid(problems)
    return whole, wanted


def _loaded(text: str) -> CommentedMap:
    """The file, with the place of each part. Raises FileInvalid."""
    if len(text) > LARGEST:
        raise FileInvalid({"1:1": [_("The file is too large.")]})
    try:
        depth = 0
        for count, token in enumerate(YAML().scan(text)):
            depth += isinstance(token, OPENING) - isinstance(token, CLOSING)
            if depth > DEEPEST:  # the scanner's time grows with the square of it
                mark = token.start_mark
                raise FileInvalid({f"{mark.line + 1}:{mark.column + 1}": [_("The file is nested too deeply.")]})
            if isinstance(token, AliasToken | AnchorToken | TagToken):
                mark = token.start_mark
                raise FileInvalid({f"{mark.line + 1}:{mark.column + 1}": [_("Anchors and tags cannot be used here.")]})
            if count > MOST_VALUES:
                raise FileInvalid({"1:1": [_("The file is too large.")]})
        whole = YAML().load(text)
    except MarkedYAMLError as problem:
        mark = problem.problem_mark or problem.context_mark
        where = f"{mark.line + 1}:{mark.column + 1}" if mark else "1:1"
        raise FileInvalid({where: [str(problem.problem or problem.context)]}) from None
    except (YAMLError, ValueError, RecursionError) as problem:
        raise FileInvalid({"1:1": [type(problem).__name__]}) from None
    if not isinstance(whole, CommentedMap):
        raise FileInvalid({"1:1": [_("The file must begin with automations:")]})
    return whole


def _automations(whole: CommentedMap) -> CommentedSeq:
    given = whole.get("automations")
    if not isinstance(given, CommentedSeq) or not given or len(whole) != 1:
        raise FileInvalid({"1:1": [_("The file must hold a list of automations, and nothing else.")]})
    if len(given) > MOST:
        raise FileInvalid({"1:1": [_("The file holds too many automations.")]})
    return given


class Places:
    """Where the parts of an automation stand in the file."""

    def __init__(self, whole: CommentedMap, base: tuple[str | int, ...]) -> None:
        self.whole, self.base = whole, base

    def of(self, path: Sequence[str]) -> str:
        """``line:column``, from 1, of a part, or of the nearest thing around it."""
        found: Any = self.whole
        at = (0, 0)
        for step in (*self.base, *path):
            try:
                if isinstance(found, CommentedSeq):
                    at = found.lc.item(int(step))
                    found = found[int(step)]
                elif isinstance(found, CommentedMap) and step in found:
                    at = found.lc.key(step)
                    found = found[step]
                else:
                    break
            except (KeyError, IndexError, ValueError, TypeError):
                break
        return f"{at[0] + 1}:{at[1] + 1}"


def _plain(value: Any) -> Any:
    """What was read, without the places: dictionaries, lists and values as JSON has them."""
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if value is None or isinstance(value, bool):
        return value
    for kind in (int, float, str):
        if isinstance(value, kind):
            return kind(value)
    return str(value)
