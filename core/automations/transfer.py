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

from collections.abc import Sequence
from uuid import UUID

from ruamel.yaml.comments import CommentedMap
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.actor import Actor
from core.automations import service
from core.automations.definition import Definition
from core.automations.errors import FileInvalid
from core.automations.models import Automation
from core.automations.yaml_text import LARGEST as LARGEST
from core.automations.yaml_text import Places, parsed, written
from core.errors import Invalid


def write(session: Session, actor: Actor, automation_ids: Sequence[UUID] = ()) -> str:
    """The newest versions of these automations, or of all, as YAML; what cannot be read as it is kept.

    Raises PermissionMissing, NotFound.
    """
    chosen: Sequence[Automation] = [service.find(session, actor, one) for one in automation_ids]
    told = []
    for one in chosen or service.listing(session, actor):
        said = {"name": one.name, "description": one.description} if one.description else {"name": one.name}
        told.append({**said, **service.kept(session, one).plain, **said})
    return written({"automations": told})


def read(session: Session, actor: Actor, text: str) -> list[Automation]:
    """Make automations of a file, all or none; each is a draft. One whose name exists becomes its newest version.

    Raises PermissionMissing, FileInvalid with details by ``line:column``.
    """
    actor.require(service.CREATE)
    actor.require(service.UPDATE)
    whole, wanted = parsed(text)
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
        where = Places(whole, ("automations", place))
        details = refused.details if isinstance(refused.details, dict) else {"name": [refused.sentence]}
        raise FileInvalid({where.of((field,)): sentences for field, sentences in details.items()}) from None
