"""What a column refers to, found by how its name begins and named by its key."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.actor import Actor
from core.errors import NotFound, PermissionMissing, Unauthenticated
from core.lists.conditions import prefix_search
from core.registry import Registry
from core.resources.resource import BoundResource

SHORTEST, MOST = 2, 20


@dataclass(frozen=True)
class Found:
    """A record that can be referred to."""

    key: str
    label: str


def target_of(registry: Registry, actor: Actor, bound: BoundResource, column: str) -> BoundResource | None:
    """The resource whose key a column holds; None where there is none that ``actor`` may search."""
    for key in bound.resource.columns_of_model[column].foreign_keys:
        for other in registry.resources.values():
            resource = other.resource
            same = (
                resource.table == key.column.table.name
                and resource.columns_of_model[resource.key].name == key.column.name
            )
            if same and resource.search and "list" in resource.actions and _open(other, actor):
                return other
    return None


def _open(bound: BoundResource, actor: Actor) -> bool:
    try:
        bound.visible(actor)
    except (PermissionMissing, Unauthenticated):
        return False
    return True


def search(session: Session, actor: Actor, target: BoundResource, text: str) -> list[Found]:
    """At most twenty records that ``actor`` may know of and whose searched columns begin with two letters or more."""
    text = text.replace("\x00", "").strip()[:120]
    if len(text) < SHORTEST:
        return []
    name = _name(target)
    query = _query(actor, target).where(prefix_search(target, text)).order_by(name).limit(MOST)
    return [Found(str(key), str(label or key)) for key, label in session.execute(query)]


def named(session: Session, actor: Actor, target: BoundResource, keys: Iterable[Any]) -> dict[str, str]:
    """What the records with these keys are called, as far as ``actor`` may know of them."""
    known = []
    for key in keys:
        try:
            known.append(target.parse_key(key))
        except NotFound:
            continue
    column = getattr(target.resource.model, target.resource.key)
    query = _query(actor, target).where(column.in_(known))
    return {str(key): str(label or key) for key, label in session.execute(query)} if known else {}


def _query(actor: Actor, target: BoundResource) -> sa.Select[Any]:
    query = sa.select(getattr(target.resource.model, target.resource.key), _name(target))
    condition = target.visible(actor)
    return query if condition is None else query.where(condition)


def _name(target: BoundResource) -> Any:
    return getattr(target.resource.model, target.resource.search[0])
