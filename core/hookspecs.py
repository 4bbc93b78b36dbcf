"""The core's hooks, all on this page. Declarations live on the manifest; a hook is for behaviour only.

Policies: *isolated* — each plugin is called alone, one that raises is recorded and the others' results stand;
*strict* — an exception ends the operation. Hooks are called in dependency order, then by name, and never for a
plugin that is disabled. Plugins publish hooks of their own with ``Plugin(hookspecs=…)`` and call them by
``hooks.collect(session, "name", …)``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pluggy

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from core.actor import Actor

PROJECT = "guildhall"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@dataclass(frozen=True, kw_only=True)
class Panel:
    """A part of the member page: ``template`` shown with ``context`` under ``title``."""

    title: str
    template: str
    context: dict[str, Any]
    order: int = 100


@dataclass(frozen=True)
class Hit:
    """Something the command palette found: what it is called, where it is, and what kind of thing it is."""

    label: str
    url: str
    hint: str = ""


@hookspec
def search(session: Session, actor: Actor, text: str) -> Iterable[Hit]:
    """What a plugin finds for the command palette beside the records of its resources. *Isolated.*

    Check the actor's permissions yourself; a few hits, from an index. Not called for a text of fewer than two
    characters, nor for REST.
    """
    return ()


@hookspec
def member_panels(session: Session, actor: Actor, member_id: UUID) -> Iterable[Panel]:
    """Parts of a member's page. *Isolated.*

    Check the actor's permission yourself and return nothing where it is missing. Not called on the member's own
    profile page, nor for REST.
    """
    return ()


@hookspec
def unread_count(session: Session, member_id: UUID) -> int:
    """How many unread notices a member has; the sum is shown at the bell. *Isolated.*

    Called on every page for a signed-in member, so answer from an index. Not called for REST.
    """
    return 0


@hookspec
def personal_data(session: Session, member_id: UUID) -> Mapping[str, Iterable[Mapping[str, Any]]]:
    """What a plugin holds about a member beyond its tables, as rows by name, for the copy that members may ask for.

    *Isolated.* Rows of tables that refer to a member are in the copy already, but for secrets. Never in silence: the
    copy names a plugin whose hook fails. Not called for a plugin that is off, which the copy names too; not called
    by an erasure.
    """
    return {}


@hookspec
def member_erased(session: Session, member_id: UUID) -> None:
    """Take out what a plugin's tables hold about a member where no reference leads to the member. *Strict.*

    Called in the transaction that erases, before anything else is gone; it may be called again after a failure. Rows
    that refer to the member need no hook (docs/integrators.md). For what lies outside of the database subscribe to
    ``core.member.erased``. Not called for a plugin that is off.
    """
    return None


@hookspec
def first_start(session: Session, platform: Any) -> str | None:
    """Work to do when ``guildhall run`` starts and the tables are migrated: the demo, a history to import.

    *Isolated.* Returns a sentence for the terminal. ``platform.config`` says what was asked for. Called at every
    start of the supervisor, so it must find out by itself that its work is done; not called by other commands.
    """
    return None
