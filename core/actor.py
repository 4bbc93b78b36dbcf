"""Who acts: every service call names its actor, whatever door it came through."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal
from uuid import UUID

from core.errors import PermissionMissing, Unauthenticated
from core.ids import new_id

Kind = Literal["member", "service", "system", "anonymous"]


@dataclass(frozen=True, slots=True)
class Actor:
    """An identity and the cause it acts for.

    ``permissions`` are full names such as ``wallet:transfer:create``; the system may do everything.
    ``correlation_id`` follows one cause through every stage, ``causation_id`` is the event that led here.
    """

    kind: Kind
    name: str
    member_id: UUID | None = None
    permissions: frozenset[str] = frozenset()
    roles: tuple[str, ...] = ()
    session_id: UUID | None = None
    locale: str | None = None
    impersonator: UUID | None = None
    ip: str | None = None
    request_id: str | None = None
    correlation_id: UUID = field(default_factory=new_id)
    causation_id: UUID | None = None

    @classmethod
    def system(cls, name: str = "system") -> Actor:
        """The platform itself, acting for nobody: the scheduler, a seed, a command."""
        return cls(kind="system", name=name)

    def can(self, permission: str) -> bool:
        """Whether this actor holds ``permission``."""
        return self.kind == "system" or permission in self.permissions

    def require(self, permission: str) -> None:
        """Raise Unauthenticated (nobody signed in) or PermissionMissing unless ``can(permission)``."""
        if self.can(permission):
            return
        if self.kind == "anonymous":
            raise Unauthenticated()
        raise PermissionMissing(permission=permission)

    def caused_by(self, event_id: UUID, correlation_id: UUID) -> Actor:
        """This actor going on because of an event."""
        return replace(self, causation_id=event_id, correlation_id=correlation_id)
