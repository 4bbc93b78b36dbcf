"""The core's hooks, all on this page. Declarations live on the manifest; a hook is for behaviour only.

Policies: *isolated* — each plugin is called alone, one that raises is recorded and the others' results stand;
*strict* — an exception ends the operation. Hooks are called in dependency order, then by name, and never for a
plugin that is disabled. Plugins publish hooks of their own with ``Plugin(hookspecs=…)`` and call them by
``hooks.collect(session, "name", …)``.
"""

from __future__ import annotations

from collections.abc import Iterable
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
def first_start(session: Session, platform: Any) -> str | None:
    """Work to do when ``guildhall run`` starts and the tables are migrated: the demo, a history to import.

    *Isolated.* Returns a sentence for the terminal. ``platform.config`` says what was asked for. Called at every
    start of the supervisor, so it must find out by itself that its work is done; not called by other commands.
    """
    return None
