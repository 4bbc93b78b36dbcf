"""Automations as YAML files, to be kept, compared and carried to another installation.

::

    automations:
      - name: Welcome
        trigger: {kind: event, event: core.member.registered}
        actions:
          - action: core.set_tag
            values: {tag: new}
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.tokens import AliasToken, AnchorToken, TagToken
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.actor import Actor
from core.automations import service
from core.automations.definition import Definition
from core.automations.errors import DefinitionInvalid, FileInvalid
from core.automations.models import Automation
from core.errors import Invalid
from core.i18n import _

LARGEST = 500_000  # characters
MOST = 200  # automations of a file
MOST_VALUES = 20_000
TEXTS = ("name", "description")
PARTS = (*TEXTS, "trigger", "condition", "actions", "limits")


def write(session: Session, actor: Actor, automation_ids: Sequence[UUID] = ()) -> str:
    """The newest versions of these automations, or of all, as YAML. Raises PermissionMissing, NotFound."""
    chosen: Sequence[Automation] = [service.find(session, actor, one) for one in automation_ids]
    told = []
    for one in chosen or service.listing(session, actor):
        said = {"name": one.name, "description": one.description} if one.description else {"name": one.name}
        told.append({**said, **service.definition_of(session, one).plain})
    yaml = YAML()
    yaml.width = 120
    yaml.indent(mapping=2, sequence=4, offset=2)
    out = io.StringIO()
    yaml.dump({"automations": told}, out)
    return out.getvalue()


def read(session: Session, actor: Actor, text: str) -> list[Automation]:
    """Make automations of a file, all or none; each is a draft. One whose name exists becomes its newest version.

    Raises PermissionMissing, FileInvalid with details by ``line:column``.
    """
    actor.require(service.CREATE)
    actor.require(service.UPDATE)
    problems: dict[str, list[str]] = {}
    wanted: list[tuple[dict[str, str], Definition]] = []
    whole = _loaded(text)
    for place, given in enumerate(_automations(whole)):
        where = _Places(whole, ("automations", place))
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
    return [_made(session, actor, whole, place, *one) for place, one in enumerate(wanted)]


def _made(
    session: Session, actor: Actor, whole: CommentedMap, place: int, texts: dict[str, str], definition: Definition
) -> Automation:
    name = " ".join(texts["name"].split())
    there = session.scalar(select(Automation.id).where(func.lower(Automation.name) == name.lower()))
    try:
        if there is None:
            return service.create(session, actor, definition=definition, **texts)
        return service.change(session, actor, there, definition=definition, **texts)
    except Invalid as refused:
        where = _Places(whole, ("automations", place))
        details = refused.details if isinstance(refused.details, dict) else {"name": [refused.sentence]}
        raise FileInvalid({where.of((field,)): sentences for field, sentences in details.items()}) from None


def _loaded(text: str) -> CommentedMap:
    """The file, with the place of each part. Raises FileInvalid."""
    if len(text) > LARGEST:
        raise FileInvalid({"1:1": [_("The file is too large.")]})
    try:
        for count, token in enumerate(YAML().scan(text)):
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


class _Places:
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
