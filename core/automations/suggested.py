"""What plugins suggest: who took what over, what is new since then, and taking it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core import lifecycle
from core.actor import Actor
from core.automations import fitting, service
from core.automations.definition import Definition, Kept, Origin
from core.automations.errors import NameTaken, NothingNew
from core.automations.models import Automation, AutomationVersion
from core.automations.suggestion import Suggestion, digest_of
from core.errors import NotFound
from core.i18n import translated

MOST_COPIES = 20


@dataclass(frozen=True)
class Copy:
    """An automation that was taken over.

    - ``taken``: what the suggestion said then; None where this release cannot read it.
    - ``changed``: the plugin suggests something else by now.
    - ``altered``: an admin changed the copy since.
    """

    automation: Automation
    taken: Definition | None
    changed: bool
    altered: bool


@dataclass(frozen=True)
class Suggested:
    """A suggestion ``key`` of a plugin that is on; ``waits`` says, by place, what it names that is not there."""

    key: str
    plugin: str
    suggestion: Suggestion
    waits: dict[str, list[str]]
    copies: tuple[Copy, ...]


def listing(session: Session, actor: Actor) -> list[Suggested]:
    """What the plugins that are on suggest, in order of plugins and names. Raises PermissionMissing."""
    actor.require(service.SEE)
    registry, off = session.info["registry"], lifecycle.disabled(session)
    copies = _copies(session)
    return [
        Suggested(key, key.split(".")[0], one, fitting.check(session, one.said), tuple(copies.get(key, ())))
        for key, one in sorted(registry.suggestions.items())
        if key.split(".")[0] not in off
    ]


def find(session: Session, actor: Actor, key: str) -> Suggested:
    """One of them. Raises NotFound, PermissionMissing."""
    found = next((one for one in listing(session, actor) if one.key == key), None)
    if found is None:
        raise NotFound()
    return found


def of_automation(session: Session, actor: Actor, automation: Automation) -> tuple[Suggested, Copy] | None:
    """What an automation was taken over from, as it is suggested now; None for any other automation."""
    for one in listing(session, actor):
        for copy in one.copies:
            if copy.automation.id == automation.id:
                return one, copy
    return None


def take(session: Session, actor: Actor, key: str) -> Automation:
    """Take over a copy, a draft under the suggestion's label in the actor's language. Audited.

    Raises NotFound, PermissionMissing, and NameTaken where twenty names like its label are taken.
    """
    suggestion = find(session, actor, key).suggestion
    say = translated(session, actor.locale)
    label, description = say(suggestion.label), say(suggestion.description)
    for number in range(1, MOST_COPIES + 1):
        name = label[:120] if number == 1 else f"{label[:114]} ({number})"
        try:
            with session.begin_nested():
                return service.create(
                    session, actor, name=name, description=description[:500], definition=_with_origin(key, suggestion)
                )
        except NameTaken:
            continue
    raise NameTaken(name=label)


def renew(session: Session, actor: Actor, automation_id: UUID) -> Automation:
    """Make what the plugin suggests now the newest version of a copy; one that is on goes on with its own. Audited.

    Raises NotFound, PermissionMissing, and NothingNew where that is what was taken over.
    """
    automation = service.find(session, actor, automation_id, lock=True)
    found = of_automation(session, actor, automation)
    if found is None or not found[1].changed:
        raise NothingNew()
    offered = found[0]
    definition = _with_origin(offered.key, offered.suggestion)
    return service.change(session, actor, automation_id, definition=definition)


def _with_origin(key: str, suggestion: Suggestion) -> Definition:
    return suggestion.said.model_copy(update={"origin": Origin(suggestion=key, digest=suggestion.digest)})


def _copies(session: Session) -> dict[str, list[Copy]]:
    """The automations whose newest version has an origin, by what they were taken over from."""
    registry = session.info["registry"]
    has_origin = (
        func.jsonb_typeof(AutomationVersion.definition["origin"]) == "object",
        AutomationVersion.number == Automation.latest,
    )
    newest = select(Automation, AutomationVersion.definition).join(
        AutomationVersion, AutomationVersion.automation_id == Automation.id
    )
    found: dict[str, list[Copy]] = {}
    for automation, raw in session.execute(newest.where(*has_origin).order_by(Automation.id)):
        said = Kept.of(raw).definition
        if said is None or said.origin is None:
            continue
        suggestion = registry.suggestions.get(said.origin.suggestion)
        changed = suggestion is not None and suggestion.digest != said.origin.digest
        altered = digest_of(said) != said.origin.digest
        taken = said if not altered else _taken(session, automation, said.origin) if changed else None
        copy = Copy(automation, taken, changed, altered)
        found.setdefault(said.origin.suggestion, []).append(copy)
    return found


def _taken(session: Session, automation: Automation, origin: Origin) -> Definition | None:
    """The version that was taken over: the first one with this origin that says what it said."""
    query = select(AutomationVersion.definition).where(AutomationVersion.automation_id == automation.id)
    versions: Sequence[object] = session.scalars(query.order_by(AutomationVersion.number)).all()
    for raw in versions:
        said = Kept.of(raw).definition
        if said is not None and said.origin == origin and digest_of(said) == origin.digest:
            return said
    return None
