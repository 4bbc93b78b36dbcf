"""Who acts: every service call names its actor, whatever door it came through."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from core.clock import now
from core.errors import PermissionMissing, SessionRequired, StepUpRequired, Unauthenticated, WhileImpersonating
from core.ids import new_id

STEP_UP_LIFETIME = timedelta(minutes=10)
Kind = Literal["member", "service", "system", "anonymous"]


def bundle_of(permission: str) -> str:
    """The two-part bundle of a permission: ``wallet:read`` for listing and showing, ``wallet:write`` for the rest."""
    plugin, _, action = permission.split(":")
    return f"{plugin}:{'read' if action in ('list', 'show') else 'write'}"


@dataclass(frozen=True, slots=True)
class Actor:
    """An identity and the cause it acts for.

    ``permissions`` are full names such as ``wallet:transfer:create``; the system may do everything.
    ``correlation_id`` follows one cause through every stage, ``causation_id`` is the event, or the job, that led here.
    ``stepped_up_at`` is when the holder of the session last proved who they are, by all factors they have;
    ``second_factors`` are the kinds of second ones they have turned on. ``impersonator`` is the admin who acts as this
    member by ``impersonation``, which is ``read_only`` or not; the session is the admin's own. ``is_admin`` is whether
    the holder of the session or key, be it the impersonator, is an admin. ``bulk`` marks an import or another job: the
    deliveries it causes wait behind those that a person causes.
    """

    kind: Kind
    name: str
    member_id: UUID | None = None
    permissions: frozenset[str] = frozenset()
    roles: tuple[str, ...] = ()
    session_id: UUID | None = None
    locale: str | None = None
    impersonator: UUID | None = None
    impersonation: UUID | None = None
    read_only: bool = False
    is_admin: bool = False
    ip: str | None = None
    request_id: str | None = None
    stepped_up_at: datetime | None = None
    second_factors: frozenset[str] = frozenset()
    correlation_id: UUID = field(default_factory=new_id)
    causation_id: UUID | None = None
    bulk: bool = False

    @classmethod
    def system(cls, name: str = "system", *, bulk: bool = False) -> Actor:
        """The platform itself, acting for nobody: the scheduler, a seed, a command."""
        return cls(kind="system", name=name, bulk=bulk)

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

    def require_session(self, *, or_bundle: str = "") -> None:
        """Raise Unauthenticated (nobody signed in) or SessionRequired (an API key) unless a person is signed in.

        An API key passes with a permission of the two-part ``or_bundle``, such as ``wallet:read``.
        """
        if self.member_id is None:
            raise Unauthenticated()
        if self.session_id is None and or_bundle not in {bundle_of(name) for name in self.permissions}:
            raise SessionRequired()

    def require_step_up(self, *, or_key: bool = False) -> None:
        """Raise StepUpRequired unless the holder of the session gave password and code in the last ten minutes.

        The system passes; who acts as another never does: WhileImpersonating. An API key passes with ``or_key``: who
        made it proved who they are then, and its scopes name what it may.
        """
        self.require_own()
        if self.kind == "system" or (or_key and self.member_id is not None and self.session_id is None):
            return
        if self.stepped_up_at and now() - self.stepped_up_at <= STEP_UP_LIFETIME:
            return
        raise StepUpRequired()

    def require_own(self) -> None:
        """Raise WhileImpersonating where an admin acts as this member: for what moves value or changes a way in."""
        if self.impersonator is not None:
            raise WhileImpersonating()

    def caused_by(self, event_id: UUID, correlation_id: UUID) -> Actor:
        """This actor going on because of an event."""
        return replace(self, causation_id=event_id, correlation_id=correlation_id)
