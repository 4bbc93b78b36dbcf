"""What an event is, and who listens.

An event says in the past tense what happened, carries ids and no personal data, and is a frozen, versioned
pydantic model whose JSON Schema is published::

    class ContributionRecorded(Event):
        event_name = "contributions.contribution.recorded"
        contribution_id: UUID
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ClassVar, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from core.actor import Actor


class Event(BaseModel):
    """Base of every event type. ``event_name`` is ``<plugin>.<thing>.<past verb>``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    event_name: ClassVar[str]
    event_version: ClassVar[int] = 1

    @classmethod
    def upcast(cls, version: int, payload: dict[str, Any]) -> dict[str, Any]:
        """The payload stored as ``version``, an older one, as the newest version has it. Override it with the version.

        Not called for events of the newest version.
        """
        return payload

    @classmethod
    def read(cls, version: int, payload: dict[str, Any]) -> Self:
        """A stored payload of any version, as the newest. Raises ValueError when it does not fit or is newer."""
        if version > cls.event_version:
            raise ValueError(f"{cls.event_name} is stored as version {version}; this process reads {cls.event_version}")
        if version < cls.event_version:
            payload = cls.upcast(version, dict(payload))
        return cls.model_validate(payload)


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event as a subscriber receives it: the typed payload, always of the newest ``version``, and its envelope.

    ``actor`` is the subscriber acting because of this event alone. Of a batch, which holds events of many causes, each
    effect is made by the actor of its event: ``publish(session, event.actor, …)``. ``causation_id`` is the event, or
    the job, that led to it.
    """

    id: UUID
    name: str
    version: int
    payload: Any
    occurred_at: datetime
    correlation_id: UUID
    causation_id: UUID | None
    actor_id: UUID | None
    actor: Actor = field(default_factory=Actor.system)


class TryLater(Exception):
    """Raised by a handler that failed and was told when to come back: not before ``seconds`` have passed."""

    def __init__(self, message: str, seconds: float) -> None:
        super().__init__(message)
        self.seconds = seconds


class GiveUp(Exception):
    """Raised by a handler that no further try can help: the delivery becomes a dead letter at once."""


@dataclass(frozen=True, kw_only=True)
class Subscriber:
    """A reaction to an event.

    *transactional* (default): ``handler(session, actor, event)``; its effects and the acknowledgement are one
    transaction. With ``batch`` > 1 it gets a list: ``handler(session, actor, events)``; where its events have more
    than one cause the ``actor`` has none, and each ``event.actor`` has its own.
    *external* (mail, HTTP, chain): ``handler(unit_of_work, actor, event)`` outside any transaction, at least once;
    ``event.id`` is the idempotency key for the other side.

    A handler that raises, or takes its worker with it, is tried again with back-off until ``max_attempts``, then waits
    as a dead letter. In a transactional handler no statement, and no pause between two, may take longer than
    ``lease_seconds``; an external one is called again when it has not answered by then. One that takes twice as long is
    interrupted by an exception.
    The lock is the ordering key: events whose publishers held the same one (a member's, by ``locks.members``) are taken
    in the order of their commits. Several workers, and a retry, may overtake: a handler to which that matters takes the
    same lock and looks at the row as it is now. Between publishers without a common lock there is no order.
    ``waits`` are the pauses after each failed try; without them they double from two seconds up to an hour. An external
    handler that knows better raises ``TryLater``, or ``GiveUp`` where no further try can help.
    Not called while an admin has paused it, nor while its plugin, or the plugin of the event, is disabled or absent:
    its deliveries wait and are not lost.
    """

    event: type[Event] | str
    handler: Callable[..., None]
    kind: Literal["transactional", "external"] = "transactional"
    batch: int = 1
    max_attempts: int = 8
    lease_seconds: int = 60
    waits: tuple[timedelta, ...] = ()

    @property
    def event_name(self) -> str:
        return self.event if isinstance(self.event, str) else self.event.event_name

    @property
    def name(self) -> str:
        return self.handler.__name__


Handler = Callable[[Any, Actor, Any], None]
