"""Pull a switch and let go, and ask whether one is pulled: in every process within a second, without a query."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from core import generation
from core.actor import Actor
from core.audit.trail import record
from core.clock import now, rfc3339
from core.db.session import RING
from core.errors import Invalid, NotFound, Unavailable
from core.i18n import _
from core.switches.models import PulledSwitch
from core.switches.switch import Switch

MAY = "core:switch:pull"
AGAIN_SECONDS = 300  # where nobody said how long it will be
LONGEST = timedelta(days=365)


class SwitchedOff(Unavailable):
    """An admin has switched this off for a while; ``details`` names the switch, Retry-After says when to try again."""

    code = "SWITCHED_OFF"
    stays = True
    sentence = _("This is switched off at the moment. Nothing is lost; try again later.")


class SwitchUnusable(Invalid):
    """A switch cannot be pulled without a reason, or until a time that is over."""

    code = "SWITCH_UNUSABLE"
    sentence = _("Give a reason of at most 500 letters, and an end that lies ahead, within a year.")


@dataclass(frozen=True)
class Pulled:
    """A switch that is off now."""

    name: str
    reason: str
    pulled_at: datetime
    until: datetime | None
    pulled_by: UUID | None

    @property
    def seconds(self) -> int:
        """In how many seconds to try again."""
        return max(1, int((self.until - now()).total_seconds())) if self.until else AGAIN_SECONDS


def pulled(session: Session) -> dict[str, Pulled]:
    """The switches that are off now, by name; one whose end has come is on again by itself."""
    kept: dict[str, Pulled] | None = generation.cached(session, "switches")
    if kept is None:
        rows = session.execute(
            select(
                PulledSwitch.name,
                PulledSwitch.reason,
                PulledSwitch.pulled_at,
                PulledSwitch.until,
                PulledSwitch.pulled_by,
            )
        )
        kept = {row.name: Pulled(*row) for row in rows}
        generation.keep(session, "switches", kept)
    if not kept:
        return kept
    at = now()
    return {name: one for name, one in kept.items() if one.until is None or one.until > at}


def require(session: Session, name: str) -> None:
    """Raise SwitchedOff while the switch ``name`` (``<plugin>.<switch>``) is pulled."""
    if found := pulled(session).get(name):
        _refuse(found)


def require_value_routes(session: Session, plugin: str) -> None:
    """Raise SwitchedOff while a switch is pulled that stops the value-moving routes of ``plugin``."""
    off = pulled(session)
    if not off:
        return
    for name, switch in _declared(session).items():
        if switch.value_routes and name in off and name.split(".")[0] == plugin:
            _refuse(off[name])


def stopped_subscribers(session: Session) -> frozenset[str]:
    """Subscribers that are not called because of a pulled switch: their deliveries wait."""
    off = pulled(session)
    if not off:
        return frozenset()
    return frozenset(key for name, switch in _declared(session).items() if name in off for key in switch.subscribers)


def stopped_jobs(session: Session) -> frozenset[str]:
    """Jobs that are not started because of a pulled switch: they wait."""
    off = pulled(session)
    if not off:
        return frozenset()
    return frozenset(key for name, switch in _declared(session).items() if name in off for key in switch.jobs)


def pull(session: Session, actor: Actor, name: str, *, reason: str, until: datetime | None = None) -> None:
    """Switch something off, until a time or until somebody switches it on; again to change reason or end. Audited.

    Raises NotFound, PermissionMissing, SwitchUnusable.
    """
    actor.require(MAY)
    reason = " ".join(reason.replace("\0", "").split())
    at = now()
    if name not in _declared(session):
        raise NotFound()
    if not 1 <= len(reason) <= 500 or (until is not None and not at < until <= at + LONGEST):
        raise SwitchUnusable()
    values = {"reason": reason, "until": until, "pulled_by": actor.member_id, "pulled_at": at}
    row = insert(PulledSwitch).values(name=name, **values)
    session.execute(row.on_conflict_do_update(index_elements=["name"], set_=values))
    changes = {"state": ["on", "off"], "until": [None, rfc3339(until) if until else None]}
    record(session, actor, "core.switch.pulled", subject_type="switch", subject_id=name, changes=changes, reason=reason)
    generation.advance(session)


def restore(session: Session, actor: Actor, name: str) -> bool:
    """Switch something on again; what waited is due at once. Returns whether it was off. Audited.

    Raises NotFound, PermissionMissing.
    """
    actor.require(MAY)
    if name not in _declared(session):
        raise NotFound()
    gone = delete(PulledSwitch).where(PulledSwitch.name == name).returning(PulledSwitch.name)
    if session.scalar(gone) is None:
        return False
    changes = {"state": ["off", "on"]}
    record(session, actor, "core.switch.restored", subject_type="switch", subject_id=name, changes=changes)
    generation.advance(session)
    session.info[RING] = True
    return True


def _declared(session: Session) -> Mapping[str, Switch]:
    switches: Mapping[str, Switch] = session.info["registry"].switches
    return switches


def _refuse(found: Pulled) -> None:
    raise SwitchedOff({"switch": found.name}, retry_after=found.seconds)
