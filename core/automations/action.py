"""What an automation can do, as a plugin declares it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid5

if TYPE_CHECKING:
    from pydantic import BaseModel
    from sqlalchemy.orm import Session

    from core.actor import Actor
    from core.events.event import StoredEvent


@dataclass(frozen=True, kw_only=True)
class ActionCall:
    """One call of an action.

    - ``key``: unique for this automation, what started it, the action's place and the member; the same however often
      the call is repeated. Hand it on as the reference or idempotency key of what the action writes.
    - ``automation_id`` and ``automation`` (its name): for reasons and labels.
    - ``member_id``: the member it is about; None where the trigger names none.
    - ``event``: what happened; None for a schedule and for members chosen by hand.
    - ``values``: the parameters, as the fields of ``form``.
    """

    key: str
    automation_id: UUID
    automation: str
    member_id: UUID | None
    event: StoredEvent | None
    values: Mapping[str, Any]

    @property
    def id(self) -> UUID:
        """The key as an id, where that is what is kept."""
        return uuid5(self.automation_id, self.key)


@dataclass(frozen=True, kw_only=True)
class Action:
    """Something automations can do, ``<plugin>.<name>``.

    - ``name``: a slug; ``label``: what it is called, such as "Award a badge"; ``help``: a sentence below it.
    - ``run(session, actor, call)`` does it in the run's transaction, and may return a small JSON object for the run
      log: ids and numbers, nothing personal. It flushes and never commits, and reaches nothing outside of the database:
      a dry run calls it and takes it back. A DomainError is its result and is shown to admins; anything else lets the
      whole run be tried again later. ``actor`` names the automation.
    - ``form``: a pydantic model (frozen, ``extra="forbid"``) of its parameters. An admin gives each as a literal or as
      an expression, a text that begins with ``=`` such as ``=event.amount * 2``; the form sees what it comes to.
    - ``choices``: by parameter, ``choices(session)`` returns the (value, label) pairs that a form offers.
    - ``permission``: what the person who turns an automation with this action on must hold.
    - ``needs_member``: whether it can do nothing without a member.
    - ``moves_value``: whether turning such an automation on takes a fresh proof of who does it.

    Not called while its plugin is disabled: automations that name it wait, and so does what reached them.
    """

    name: str
    label: str
    run: Callable[[Session, Actor, ActionCall], dict[str, Any] | None]
    form: type[BaseModel]
    permission: str
    help: str = ""
    icon: str = "bolt"
    choices: Mapping[str, Callable[[Session], list[tuple[str, str]]]] | None = None
    needs_member: bool = True
    moves_value: bool = False
