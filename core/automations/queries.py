"""What pages and the palette ask of automations beside the services."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Select, func, literal_column, select, tuple_
from sqlalchemy.orm import Session

from core.actor import Actor
from core.automations.definition import Definition
from core.automations.errors import DefinitionInvalid
from core.automations.models import Automation, AutomationRun, AutomationVersion
from core.clock import now

LATELY = timedelta(days=7)
MOST = 100


@dataclass
class Figures:
    """What an automation did: its runs of the last seven days by state, and when it ran last, if ever."""

    runs: dict[str, int] = field(default_factory=dict)
    last_run_at: datetime | None = None

    @property
    def failed(self) -> int:
        """Of the last seven days, what an admin should look at."""
        return sum(self.runs.get(state, 0) for state in ("failed", "partly", "loop"))


def figures(session: Session) -> dict[UUID, Figures]:
    """The figures of all automations, in two statements however many there are."""
    newest = (
        select(AutomationRun.at)
        .where(AutomationRun.automation_id == Automation.id)
        .order_by(AutomationRun.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    found = {key: Figures(last_run_at=at) for key, at in session.execute(select(Automation.id, newest)).tuples()}
    counted = select(AutomationRun.automation_id, AutomationRun.state, func.count())
    recent = counted.where(AutomationRun.at > now() - LATELY)
    for key, state, count in session.execute(recent.group_by(AutomationRun.automation_id, AutomationRun.state)):
        if key in found:
            found[key].runs[state] = count
    return found


def definitions(session: Session, automations: Sequence[Automation]) -> dict[UUID, Definition]:
    """What these say, in one statement: the version in force of those that are on, the newest of the others.

    Those that this release cannot read are left out.
    """
    wanted = [(one.id, one.version if one.state == "on" else one.latest) for one in automations]
    key = tuple_(AutomationVersion.automation_id, AutomationVersion.number)
    found: dict[UUID, Definition] = {}
    for version in session.scalars(select(AutomationVersion).where(key.in_(wanted))):
        with suppress(DefinitionInvalid):
            found[version.automation_id] = Definition.read(version.definition)
    return found


def failed_lately(session: Session, actor: Actor) -> Select[int]:
    """How many runs of the last seven days failed, counted to a hundred: the figure beside the menu entry."""
    recent = AutomationRun.at > now() - LATELY
    # A literal, for which the planner takes the index of the failed ones whatever the plan.
    failed = select(AutomationRun.id).where(AutomationRun.state == literal_column("'failed'"), recent).limit(MOST)
    return select(func.count()).select_from(failed.subquery())


def named(session: Session, text: str, limit: int) -> list[Automation]:
    """Automations with the text in their name, for the palette."""
    query = select(Automation).where(Automation.name.icontains(text, autoescape=True)).order_by(Automation.name)
    return list(session.scalars(query.limit(limit)))
