"""What a cell refers to: by its key, by what no two records have alike, a member by the e-mail address.

Who may not see a record is told the same as where there is none.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.actor import Actor
from core.errors import NotFound, PermissionMissing, Unauthenticated
from core.i18n import _
from core.ids import uuid_of
from core.imports.plan import unique_keys
from core.registry import Registry
from core.resources.resource import BoundResource

NOBODY = _("There is no such record, or you may not see it.")
SEVERAL = _("Several records are called so. Give the ID.")
MEMBER = "core.member"
MOST = 4000  # texts of one statement


def target_of(registry: Registry, bound: BoundResource, name: str) -> BoundResource | None:
    """The resource whose key a field holds; None where there is none."""
    for key in bound.resource.columns_of_model[name].foreign_keys:
        for other in registry.resources.values():
            resource = other.resource
            if resource.table == key.column.table.name and (
                resource.columns_of_model[resource.key].name == key.column.name
            ):
                return other
    return None


def by_what(target: BoundResource) -> tuple[str, ...]:
    """The columns of a resource, unique each, that its records are found by beside the key."""
    if target.key == MEMBER:
        return ("email",)
    if "create" not in target.resource.actions:
        return ()
    columns = target.resource.columns_of_model
    single = [one[0] for one in unique_keys(target) if len(one) == 1 and one[0] != target.resource.key]
    return tuple(
        name
        for name in single
        if isinstance(columns[name].type, sa.String)
        and not columns[name].foreign_keys
        and name in target.resource.readable
    )


def find(session: Session, actor: Actor, target: BoundResource, texts: Iterable[str]) -> dict[str, Any]:
    """The keys that these texts mean. One that means nothing, or nothing that ``actor`` may see, is missing; one that
    means several is None. A text that is itself a key is taken as it is: the constraint knows whether it is one."""
    wanted = list(dict.fromkeys(texts))
    found: dict[str, Any] = {}
    for text in wanted:
        if isinstance(target.resource.columns_of_model[target.resource.key].type, sa.Uuid) and uuid_of(text):
            found[text] = uuid_of(text)
    left = [text for text in wanted if text not in found]
    for start in range(0, len(left), MOST):
        _by_name(session, actor, target, left[start : start + MOST], found)
    for text in left:
        if text not in found:
            try:
                key = target.parse_key(text)
            except NotFound:
                continue
            if not isinstance(key, str) or _known(session, actor, target, key):
                found[text] = key
    return found


def _by_name(session: Session, actor: Actor, target: BoundResource, texts: list[str], found: dict[str, Any]) -> None:
    try:
        visible = target.visible(actor)
    except (PermissionMissing, Unauthenticated):
        return
    model = target.resource.model
    key = getattr(model, target.resource.key)
    folded = {text.casefold(): text for text in texts} if target.key == MEMBER else {}
    for name in by_what(target):
        column = getattr(model, name)
        said = sa.func.lower(column) if folded else column
        query = sa.select(key, said).where(said.in_(list(folded) if folded else texts))
        for one, value in session.execute(query if visible is None else query.where(visible)):
            text = folded.get(value.casefold(), value) if folded else value
            found[text] = one if found.get(text, one) == one else None
    if folded:  # the same address written in several ways
        for text in texts:
            if text not in found and folded[text.casefold()] in found:
                found[text] = found[folded[text.casefold()]]


def _known(session: Session, actor: Actor, target: BoundResource, key: str) -> bool:
    try:
        visible = target.visible(actor)
    except (PermissionMissing, Unauthenticated):
        return False
    column = getattr(target.resource.model, target.resource.key)
    query = sa.select(column).where(column == key)
    return session.scalar(query if visible is None else query.where(visible)) is not None
