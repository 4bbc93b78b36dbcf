"""Automations as admins write them and turn them on and off.

To run one by hand and to repeat a run see ``running``; to try one out ``trial``; what a form offers to choose from is
in ``catalogue``; what a definition names that is not there, ``fitting``; files, ``transfer``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from core import access, generation
from core.actor import Actor
from core.audit.trail import record
from core.automations import fitting
from core.automations.action import Action
from core.automations.definition import Definition, Kept, ScheduleTrigger
from core.automations.errors import ActionsRefused, NameTaken, StillOn
from core.automations.live import SWITCH, subscriber_of
from core.automations.models import Automation, AutomationRun, AutomationVersion
from core.automations.turns import next_time
from core.clock import now
from core.errors import Invalid, NotFound
from core.events.models import Delivery
from core.i18n import _
from core.switches import service as switches

# Permissions: seeing automations and their runs; writing; turning on and off; deleting; starting by hand and repeating.
SEE = "core:automation:list"
CREATE = "core:automation:create"
UPDATE = "core:automation:update"
ENABLE = "core:automation:enable"
DELETE = "core:automation:delete"
RUN = "core:automation:run"
SUBJECT = "core.automation"
MOST_LISTED = 1000
LOOKED_BACK = timedelta(days=7)
_STOPPED = text("""
    UPDATE core_delivery SET state = 'dead', failed_at = :at, last_error = 'The automation is turned off.'
    WHERE subscriber = :key AND state = 'pending'
""")
_FORGOTTEN = text("DELETE FROM core_delivery WHERE subscriber = :key")


@dataclass(frozen=True)
class Standing:
    """How an automation stands.

    - ``waits``: sentences that say why it waits although it is on, or could not be turned on: by place, as
      ``DefinitionInvalid`` has them. While it waits nothing is lost.
    - ``readable``: whether this release can read what it says; ``waits`` says what it cannot.
    - ``stopped``: the kill switch of all automations is pulled.
    - ``lacking``: permissions that the person who turned it on no longer holds. It goes on all the same.
    - ``pending``: deliveries that wait for it. ``runs``: how many of the last seven days, by state.
    - ``last_run_at``.
    """

    waits: dict[str, list[str]]
    readable: bool
    stopped: bool
    lacking: tuple[str, ...]
    pending: int
    runs: dict[str, int]
    last_run_at: datetime | None


def listing(session: Session, actor: Actor, *, state: str = "", text: str = "") -> Sequence[Automation]:
    """The automations in order of their names, at most a thousand. Raises PermissionMissing."""
    actor.require(SEE)
    query = select(Automation).order_by(func.lower(Automation.name), Automation.id).limit(MOST_LISTED)
    if state:
        query = query.where(Automation.state == state)
    if text:
        query = query.where(Automation.name.icontains(text, autoescape=True))
    return session.scalars(query).all()


def find(session: Session, actor: Actor, automation_id: UUID, *, lock: bool = False) -> Automation:
    """One automation. Raises NotFound, PermissionMissing."""
    actor.require(SEE)
    key: dict[str, Any] = {"with_for_update": True, "populate_existing": True} if lock else {}
    automation = session.get(Automation, automation_id, **key)
    if automation is None:
        raise NotFound()
    return automation


def definition_of(session: Session, automation: Automation, number: int | None = None) -> Definition:
    """What it says in version ``number``; default the newest.

    Raises NotFound, DefinitionInvalid where this release cannot read it.
    """
    return Definition.read(_version(session, automation, number).definition)


def kept(session: Session, automation: Automation, number: int | None = None) -> Kept:
    """Version ``number`` as it is kept, which this release may not be able to read. Raises NotFound."""
    return Kept.of(_version(session, automation, number).definition)


def _version(session: Session, automation: Automation, number: int | None) -> AutomationVersion:
    version = session.get(AutomationVersion, (automation.id, number or automation.latest))
    if version is None:
        raise NotFound()
    return version


def versions(session: Session, actor: Actor, automation_id: UUID) -> Sequence[AutomationVersion]:
    """Its versions, the newest first."""
    find(session, actor, automation_id)
    query = select(AutomationVersion).where(AutomationVersion.automation_id == automation_id)
    return session.scalars(query.order_by(AutomationVersion.number.desc())).all()


def runs(
    session: Session,
    actor: Actor,
    automation_id: UUID | None = None,
    *,
    state: str = "",
    member_id: UUID | None = None,
    before: UUID | None = None,
    limit: int = 50,
) -> Sequence[AutomationRun]:
    """Runs, the newest first; those before the run ``before``. Raises PermissionMissing."""
    actor.require(SEE)
    query = select(AutomationRun).order_by(AutomationRun.id.desc()).limit(max(1, min(limit, 200)))
    for column, wanted in (
        (AutomationRun.automation_id, automation_id),
        (AutomationRun.state, state or None),
        (AutomationRun.member_id, member_id),
    ):
        if wanted is not None:
            query = query.where(column == wanted)
    if before is not None:
        query = query.where(AutomationRun.id < before)
    return session.scalars(query).all()


def run_of(session: Session, actor: Actor, run_id: UUID) -> AutomationRun:
    """One run. Raises NotFound, PermissionMissing."""
    actor.require(SEE)
    run = session.get(AutomationRun, run_id)
    if run is None:
        raise NotFound()
    return run


def standing(session: Session, automation: Automation) -> Standing:
    """How it stands now."""
    number = automation.version if automation.state == "on" else automation.latest
    said = kept(session, automation, number)
    definition = said.definition
    waits = fitting.check(session, definition) if definition else said.problems
    lacking = _lacking(session, automation, definition) if definition else ()
    key = Delivery.subscriber == subscriber_of(automation.id), Delivery.state == "pending"
    mine = AutomationRun.automation_id == automation.id
    counted = select(AutomationRun.state, func.count()).where(mine, AutomationRun.at > now() - LOOKED_BACK)
    return Standing(
        waits=waits,
        readable=definition is not None,
        stopped=SWITCH in switches.pulled(session),
        lacking=lacking,
        pending=session.scalar(select(func.count()).select_from(Delivery).where(*key)) or 0,
        runs=dict(session.execute(counted.group_by(AutomationRun.state)).tuples().all()),
        last_run_at=session.scalar(select(AutomationRun.at).where(mine).order_by(AutomationRun.id.desc()).limit(1)),
    )


def create(
    session: Session, actor: Actor, *, name: str, definition: Definition | dict[str, Any], description: str = ""
) -> Automation:
    """Write a new automation, a draft. Audited.

    A draft may name what is not there yet; its shape must be right. Raises PermissionMissing, NameTaken,
    DefinitionInvalid, Invalid by field.
    """
    actor.require(CREATE)
    said = Definition.read(definition)
    automation = Automation(**_texts(name=name, description=description), latest=1)
    session.add(automation)
    _flush(session, automation.name)
    _keep(session, actor, automation, said)
    _told(session, actor, "created", automation, {"name": [None, automation.name], "version": [None, 1]})
    return automation


def change(
    session: Session,
    actor: Actor,
    automation_id: UUID,
    *,
    name: str | None = None,
    description: str | None = None,
    definition: Definition | dict[str, Any] | None = None,
) -> Automation:
    """Change what is given; a definition that differs becomes a new version. Audited.

    One that is on goes on with the version in force until it is turned on anew. Raises as ``create`` does, NotFound.
    """
    actor.require(UPDATE)
    automation = find(session, actor, automation_id, lock=True)
    changes: dict[str, Any] = {}
    given = {key: value for key, value in (("name", name), ("description", description)) if value is not None}
    for field, value in _texts(**given).items():
        if getattr(automation, field) != value:
            changes[field] = [getattr(automation, field), value]
            setattr(automation, field, value)
    _flush(session, automation.name)
    if definition is not None:
        said, before = Definition.read(definition), kept(session, automation).definition
        if said.origin is None and before is not None:
            said = said.model_copy(update={"origin": before.origin})
        if said != before:
            automation.latest += 1
            changes["version"] = [automation.latest - 1, automation.latest]
            _keep(session, actor, automation, said)
    if changes:
        session.flush()
        _told(session, actor, "updated", automation, changes)
    return automation


def turn_on(session: Session, actor: Actor, automation_id: UUID, *, version: int | None = None) -> Automation:
    """Put ``version``, by default the newest, in force, and turn the automation on if it is not. Audited.

    What it does from now on it does in its own name: who turned it on may lose a permission later, and ``standing``
    then says so, but it goes on. Raises NotFound, PermissionMissing, ActionsRefused (the actor lacks what an action
    takes), StepUpRequired where an action moves value, DefinitionInvalid where something that it names is not there.
    """
    actor.require(ENABLE)
    actor.require_own()
    automation = find(session, actor, automation_id, lock=True)
    number = version or automation.latest
    definition = definition_of(session, automation, number)
    fitting.ready(session, definition)
    actions = _actions(session, definition)
    lacking = sorted({one.permission for one in actions if not actor.can(one.permission)})
    if lacking:
        raise ActionsRefused({"permissions": lacking}, permissions=", ".join(lacking))
    if any(one.moves_value for one in actions):
        actor.require_step_up()
    if automation.state == "on" and automation.version == number:
        return automation
    before = {"state": automation.state, "version": automation.version}
    automation.state, automation.version = "on", number
    automation.enabled_by, automation.enabled_at = actor.member_id, now()
    trigger = definition.trigger
    automation.next_at = next_time(trigger, now()) if isinstance(trigger, ScheduleTrigger) else None
    session.flush()
    changes = {"state": [before["state"], "on"], "version": [before["version"], number]}
    _told(session, actor, "enabled", automation, changes)
    generation.advance(session)
    return automation


def turn_off(session: Session, actor: Actor, automation_id: UUID, *, reason: str = "") -> Automation:
    """Turn it off: what waits for it becomes dead letters, which can be replayed when it is on again. Audited."""
    actor.require(ENABLE)
    automation = find(session, actor, automation_id, lock=True)
    if automation.state != "on":
        return automation
    automation.state, automation.next_at = "off", None
    session.flush()
    session.execute(_STOPPED, {"key": subscriber_of(automation.id), "at": now()})
    _told(session, actor, "disabled", automation, {"state": ["on", "off"]}, reason.strip()[:500] or None)
    generation.advance(session)
    return automation


def delete(session: Session, actor: Actor, automation_id: UUID) -> None:
    """Delete one that is not on, with its versions and runs. Audited. Raises StillOn."""
    actor.require(DELETE)
    automation = find(session, actor, automation_id, lock=True)
    if automation.state == "on":
        raise StillOn()
    session.execute(_FORGOTTEN, {"key": subscriber_of(automation.id)})
    _told(session, actor, "deleted", automation, {"name": [automation.name, None]})
    session.delete(automation)
    session.flush()


def _actions(session: Session, definition: Definition) -> list[Action]:
    known: dict[str, Action] = session.info["registry"].actions
    return [known[step.action] for step in definition.actions if step.action in known]


def _lacking(session: Session, automation: Automation, definition: Definition) -> tuple[str, ...]:
    """What its actions take that who turned it on no longer holds."""
    if automation.state != "on" or automation.enabled_by is None:
        return ()
    held = access.member_permissions(session, automation.enabled_by)
    return tuple(sorted({one.permission for one in _actions(session, definition)} - held))


def _keep(session: Session, actor: Actor, automation: Automation, definition: Definition) -> None:
    row = AutomationVersion(
        automation_id=automation.id,
        number=automation.latest,
        # Whole, as a default may be another one later.
        definition=definition.model_dump(mode="json", exclude={"origin"} if definition.origin is None else None),
        member_id=actor.member_id,
        created_at=now(),
    )
    session.add(row)
    session.flush()


def _texts(**given: str) -> dict[str, str]:
    """Name and description as they are kept. Raises Invalid by field."""
    kept = {field: " ".join(value.split()) for field, value in given.items()}
    problems: dict[str, list[str]] = {}
    if "name" in kept and not 1 <= len(kept["name"]) <= 120:
        problems["name"] = [_("Give a name of 1 to 120 characters.")]
    if len(kept.get("description", "")) > 500:
        problems["description"] = [_("Give at most 500 characters.")]
    for field, value in kept.items():
        if "\0" in value:
            problems[field] = [_("Give a plain text.")]
    if problems:
        raise Invalid(problems)
    return kept


def _flush(session: Session, name: str) -> None:
    try:
        with session.begin_nested():
            session.flush()
    except IntegrityError:
        raise NameTaken(name=name) from None


def _told(
    session: Session, actor: Actor, act: str, automation: Automation, changes: dict[str, Any], reason: str | None = None
) -> None:
    record(
        session,
        actor,
        f"{SUBJECT}.{act}",
        subject_type=SUBJECT,
        subject_id=automation.id,
        changes=changes,
        reason=reason,
    )
