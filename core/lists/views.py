"""Saved views of a list, and how each reader wants to see it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import delete, false, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from core import generation
from core.actor import Actor
from core.audit.trail import record
from core.clock import now
from core.errors import Conflict, Invalid, NotFound
from core.i18n import _
from core.lists.columns import first_columns, offered_columns
from core.lists.models import ListChoice, SavedView
from core.lists.state import ListState
from core.resources.resource import BoundResource

SAVE, SHARE = "core:list:save", "core:list:share"
LONGEST_NAME = 60
MOST_OWN = 50


class ViewExists(Conflict):
    code = "VIEW_EXISTS"
    sentence = _("You already have a view called {name} here. Choose another name, or update that one.")


class TooManyViews(Conflict):
    code = "TOO_MANY_VIEWS"
    sentence = _("You already have {most} views of this list. Delete one that you no longer need.")


@dataclass(frozen=True)
class View:
    """A saved view as pages use it."""

    id: UUID
    member_id: UUID
    name: str
    query: str
    shared: bool


@dataclass(frozen=True)
class Choice:
    """How a member wants to see a list."""

    columns: tuple[str, ...] = ()
    dense: bool = False
    first: UUID | None = None


@dataclass(frozen=True)
class Shown:
    """What a reader has of a list: views by name, the own ones first, and how they want to see it."""

    views: Sequence[View] = ()
    columns: tuple[str, ...] = ()
    dense: bool = False
    first: UUID | None = None


def shown(session: Session, actor: Actor, bound: BoundResource) -> Shown:
    """The views that ``actor`` may use of a list and what they chose; read again when anybody has changed some."""
    if actor.member_id is None or not actor.can(SAVE):
        return Shown()
    everything, choices = _kept(session, bound.key)
    views = [view for view in everything if view.shared or view.member_id == actor.member_id]
    views.sort(key=lambda view: (view.member_id != actor.member_id, view.name.lower(), view.id))
    choice, offered = choices.get(actor.member_id, Choice()), offered_columns(bound)
    columns = tuple(name for name in choice.columns if name in offered)
    first = choice.first if choice.first in {view.id for view in views} else None
    return Shown(views, columns, choice.dense, first)


def _kept(session: Session, resource: str) -> tuple[list[View], dict[UUID, Choice]]:
    """All views of a list and all choices, which only staff has; kept for the present generation."""
    key = "lists", resource
    kept: tuple[list[View], dict[UUID, Choice]] | None = generation.cached(session, key)
    if kept is None:
        views = session.scalars(select(SavedView).where(SavedView.resource == resource))
        choices = session.scalars(select(ListChoice).where(ListChoice.resource == resource))
        kept = (
            [View(one.id, one.member_id, one.name, one.query, one.shared) for one in views],
            {one.member_id: Choice(tuple(one.columns), one.dense, one.view_id) for one in choices},
        )
        generation.keep(session, key, kept)
    return kept


def columns_of(state: ListState, mine: Sequence[str]) -> tuple[str, ...]:
    """The columns to show: those of the address, else the reader's own, else the declared ones."""
    return state.columns or tuple(mine) or first_columns(state.bound)


def save(
    session: Session, actor: Actor, state: ListState, name: str, *, shared: bool = False, first: bool = False
) -> SavedView:
    """Keep a state under a name. Raises Invalid, ViewExists, TooManyViews, PermissionMissing."""
    actor.require_session()
    actor.require(SAVE)
    if shared:
        actor.require(SHARE)
    own = SavedView.member_id == actor.member_id, SavedView.resource == state.bound.key
    if (session.scalar(select(func.count()).where(*own)) or 0) >= MOST_OWN:
        raise TooManyViews(most=MOST_OWN)
    assert actor.member_id is not None
    view = SavedView(
        member_id=actor.member_id,
        resource=state.bound.key,
        name=_name(name),
        query=state.query,
        shared=shared,
    )
    view.created_at = view.updated_at = now()
    _keep(session, view)
    if shared:
        _told(session, actor, view, "shared", {"query": [None, view.query]})
    if first:
        choose(session, actor, state.bound, first=view.id)
    return view


def change(
    session: Session,
    actor: Actor,
    bound: BoundResource,
    view_id: UUID,
    *,
    name: str | None = None,
    state: ListState | None = None,
    shared: bool | None = None,
) -> SavedView:
    """Rename an own view, give it another state, share it or stop. Raises NotFound, Invalid, ViewExists,
    PermissionMissing (for what is or becomes shared)."""
    view = _own(session, actor, bound, view_id)
    if view.shared or shared:
        actor.require(SHARE)
    before = {"shared": view.shared, "query": view.query, "name": view.name}
    if name is not None:
        view.name = _name(name)
    if state is not None:
        view.query = state.query
    if shared is not None:
        view.shared = shared
    view.updated_at = now()
    _keep(session, view)
    if before["shared"] or view.shared:
        after = {"shared": view.shared, "query": view.query}
        changes = {key: [before[key], value] for key, value in after.items() if before[key] != value}
        _told(session, actor, view, "changed", changes)
    return view


def remove(session: Session, actor: Actor, bound: BoundResource, view_id: UUID) -> None:
    """Delete an own view, or with the permission to share a shared one. Raises NotFound."""
    view = _reach(session, actor, bound, view_id)
    if view.member_id != actor.member_id and not actor.can(SHARE):
        raise NotFound()
    if view.shared:
        _told(session, actor, view, "deleted", {"query": [view.query, None]})
    session.execute(delete(SavedView).where(SavedView.id == view.id))
    session.expunge(view)
    generation.advance(session)


def choose(
    session: Session,
    actor: Actor,
    bound: BoundResource,
    *,
    columns: Sequence[str] | None = None,
    dense: bool | None = None,
    first: UUID | bool | None = False,
) -> None:
    """Keep how the actor wants to see a list: ``columns`` (an empty sequence: as declared), ``dense`` rows, the view
    that opens ``first`` (None for none). What is not given stays. Raises NotFound, Invalid, PermissionMissing."""
    actor.require_session()
    actor.require(SAVE)
    values: dict[str, Any] = {}
    if columns is not None:
        offered = offered_columns(bound)
        values["columns"] = [name for name in dict.fromkeys(columns) if name in offered]
        if columns and not values["columns"]:
            raise Invalid({"columns": [_("Choose at least one column.")]})
    if dense is not None:
        values["dense"] = dense
    if first is not False:
        values["view_id"] = _reach(session, actor, bound, first).id if isinstance(first, UUID) else None
    new = insert(ListChoice).values(member_id=actor.member_id, resource=bound.key, **values)
    kept = new.on_conflict_do_update(index_elements=["member_id", "resource"], set_=values)
    session.execute(kept if values else new.on_conflict_do_nothing())
    generation.advance(session)


def reset(session: Session, actor: Actor, bound: BoundResource) -> None:
    """See the list as it is declared again; the views and which of them opens first stay."""
    session.execute(
        update(ListChoice)
        .where(ListChoice.member_id == actor.member_id, ListChoice.resource == bound.key)
        .values(columns=[], dense=False)
    )
    generation.advance(session)


def named(session: Session, actor: Actor, resources: Sequence[str], beginning: str, most: int) -> Sequence[SavedView]:
    """The views of these resources whose name begins so, which ``actor`` may use."""
    mine = SavedView.member_id == actor.member_id if actor.member_id else false()
    begins = func.lower(SavedView.name).startswith(beginning.lower(), autoescape=True)
    query = select(SavedView).where(SavedView.resource.in_(resources), or_(mine, SavedView.shared.is_(True)), begins)
    return session.scalars(query.order_by(SavedView.name, SavedView.id).limit(most)).all()


def _name(given: str) -> str:
    name = " ".join(given.replace("\x00", "").split())
    if not 1 <= len(name) <= LONGEST_NAME:
        raise Invalid({"name": [_("Give the view a name of at most 60 characters.")]})
    return name


def _keep(session: Session, view: SavedView) -> None:
    name = view.name
    try:
        with session.begin_nested():
            session.add(view)
            session.flush()
    except IntegrityError:
        raise ViewExists(name=name) from None
    generation.advance(session)


def _reach(session: Session, actor: Actor, bound: BoundResource, view_id: UUID) -> SavedView:
    mine = or_(SavedView.member_id == actor.member_id, SavedView.shared.is_(True))
    view: SavedView | None = session.scalar(
        select(SavedView).where(SavedView.id == view_id, SavedView.resource == bound.key, mine)
    )
    if view is None:
        raise NotFound()
    return view


def _own(session: Session, actor: Actor, bound: BoundResource, view_id: UUID) -> SavedView:
    view = _reach(session, actor, bound, view_id)
    if view.member_id != actor.member_id:
        raise NotFound()
    return view


def _told(session: Session, actor: Actor, view: SavedView, verb: str, changes: dict[str, Any]) -> None:
    """What many people see changed: into the trail."""
    record(session, actor, f"core.list_view.{verb}", subject_type="core.list_view", subject_id=view.id, changes=changes)
