"""The core's hooks, all on this page. Declarations live on the manifest; a hook is for behaviour only.

Policies: *isolated* — each plugin is called alone, one that raises is recorded and the others' results stand
(``collect``); *strict* — an exception ends the operation (``call``); *first result* — plugins are asked one after the
other until one answers something else than None, one that raises is recorded and the next is asked (``first``). Hooks
are called in dependency order, then by name, and never for a plugin that is disabled. Plugins publish hooks of their
own with ``Plugin(hookspecs=…)`` and call them by ``collect(session, "name", …)``, ``call`` or ``first``.

There is no policy by which each plugin changes what the one before made. Nothing needs it: claims of tokens, profiles
and scores are sums of answers, which *isolated* gives. It comes with its first consumer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pluggy

if TYPE_CHECKING:
    from sqlalchemy import Select
    from sqlalchemy.orm import Session

    from core.actor import Actor

    UnitOfWork = Callable[[], AbstractContextManager[Session]]

PROJECT = "guildhall"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@dataclass(frozen=True, kw_only=True)
class Panel:
    """A part of the member page, in the tab of its plugin: ``template`` under ``title``, with what ``load()`` returns.

    ``load`` is called when the tab is opened, ``context`` is there without. The first panel of a plugin names its tab.
    """

    title: str
    template: str
    context: Mapping[str, Any] = field(default_factory=dict)
    load: Callable[[], Mapping[str, Any]] | None = None
    order: int = 100


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A key figure of a member, as it is shown: ``value`` is a number or a text; ``url`` is where it comes from."""

    label: str
    value: Any
    icon: str = ""
    hint: str = ""
    url: str = ""
    order: int = 100


@dataclass(frozen=True)
class Hit:
    """Something the command palette found: what it is called, where it is, and what kind of thing it is."""

    label: str
    url: str
    hint: str = ""


@dataclass(frozen=True, kw_only=True)
class Fact:
    """A figure of members that conditions of automations can ask for: what it is called, and its ``kind``: ``text``,
    ``number``, ``bool``, ``time`` or ``list``."""

    label: str
    kind: str = "number"


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a plugin knows of members: its ``fields`` by name, and by member their ``values`` by the same names."""

    fields: Mapping[str, Fact]
    values: Mapping[UUID, Mapping[str, Any]]


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

    Check the actor's permission yourself and return nothing where it is missing. Called for each tab of the page: read
    nothing but in ``Panel.load``. Not called on the member's own profile page, nor for REST.
    """
    return ()


@hookspec
def member_figures(session: Session, actor: Actor, member_id: UUID) -> Iterable[Figure]:
    """Key figures on the first tab of a member's page, in one statement. *Isolated.*

    Check the actor's permission yourself and return nothing where it is missing. Not called on the member's own
    profile page, nor for REST.
    """
    return ()


@hookspec
def member_facts(session: Session, member_ids: Sequence[UUID]) -> Facts:
    """Figures of members for the conditions of automations, as ``member.<plugin>.<name>``. *Isolated.*

    One statement for all members asked, however many; with none asked say which fields there are. Nothing personal.
    Not called where no automation asks for a figure of this plugin; when it fails, the automation is tried again
    later.
    """
    return Facts(fields={}, values={})


@hookspec
def unread_count(session: Session, member_id: UUID) -> int | Select[int]:
    """How many unread notices a member has; the sum is shown at the bell. *Isolated.*

    Called on every page for a signed-in member, so answer from an index, at best with a query of the one figure: those
    of a page are asked together, in one statement. Not called for REST.
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
def send_sms(unit_of_work: UnitOfWork, number: str, text: str, reference: UUID) -> str | None:
    """Send a text message; returns the provider's number of it, or None to leave it to the next plugin. *First result.*

    ``number`` is in E.164, ``text`` plain. Called by a worker outside of any transaction; open a ``unit_of_work()`` to
    read settings, and close it before the request goes out. Raise when the provider does not take it: the next plugin
    is asked, and where none answers all are asked again later. ``reference`` is the same each time: hand it to the
    provider as its idempotency key where it has one. Neither log nor keep ``text`` and ``number``. Not called for codes
    that are used or too old, nor for members who are suspended, nor while the setting ``sms_codes`` is off.
    """
    return None


@hookspec
def first_start(session: Session, platform: Any) -> str | None:
    """Work to do when ``guildhall run`` starts and the tables are migrated: the demo, a history to import.

    *Isolated.* Returns a sentence for the terminal. ``platform.config`` says what was asked for. Called at every
    start of the supervisor, so it must find out by itself that its work is done; not called by other commands.
    """
    return None
