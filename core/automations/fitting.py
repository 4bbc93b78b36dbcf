"""Whether all that a definition names is there now, and a definition made ready to run."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import structlog
from pydantic import BaseModel, ValidationError
from sqlalchemy.orm import Session

from core import lifecycle
from core.automations import conditions, facts
from core.automations.action import Action
from core.automations.definition import Definition, EventTrigger, told
from core.automations.errors import DefinitionInvalid, ExpressionFailed, ValuesInvalid
from core.events.event import StoredEvent
from core.expressions import BadExpression, Expression, names
from core.i18n import _

Problems = dict[str, list[str]]
# As in core.gateway.sentences, which knows them filled.
NO_EVENT = "There is no such event: {name}. Its plugin may not be installed."
NO_ACTION = "There is no such action: {name}. Its plugin may not be installed."
EVENT_OFF = "The plugin of the event {name} is turned off."
ACTION_OFF = "The plugin of the action {name} is turned off."
log = structlog.get_logger("automations")


@dataclass(frozen=True)
class ReadyStep:
    """An action with its parameters: ``literals``, and ``expressions`` that are worked out for each run."""

    key: str
    action: Action
    stops: bool
    literals: Mapping[str, Any]
    expressions: Mapping[str, Expression]

    def values(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        """The parameters as the form has them. Raises ExpressionFailed, ValuesInvalid."""
        given = dict(self.literals)
        for name, expression in self.expressions.items():
            try:
                given[name] = expression.value(variables)
            except BadExpression as problem:
                raise ExpressionFailed(expression=expression.text[:200], problem=str(problem)[:200]) from None
        try:
            made = self.action.form.model_validate(given)
        except ValidationError as problem:
            problems = [f"{place}: {' '.join(sentences)}" for place, sentences in told(problem).items()]
            raise ValuesInvalid(problem=" ".join(problems)[:500]) from None
        return {name: getattr(made, name) for name in type(made).model_fields}


@dataclass(frozen=True)
class Ready:
    """A definition that can run: its condition and actions compiled, and which variables they ask for."""

    definition: Definition
    condition: Expression | None
    steps: tuple[ReadyStep, ...]
    asked: frozenset[str]

    @property
    def asks_member(self) -> bool:
        return any(one == "member" or one.startswith("member.") for one in self.asked)

    @property
    def plugins(self) -> frozenset[str]:
        """The plugins whose figures of members are asked for."""
        parts = [one.split(".") for one in self.asked if one.startswith("member.")]
        return frozenset(part[1] for part in parts if len(part) > 1 and part[1] not in facts.OWN)

    def variables(
        self, session: Session, event: StoredEvent | None, member: Mapping[str, Any] | None
    ) -> dict[str, dict[str, Any]]:
        """What its expressions see of an event and a member."""
        seen: dict[str, dict[str, Any]] = {"event": {}, "record": {}, "member": dict(member or {})}
        if event is not None:
            seen["event"] = facts.of_event(event)
            if any(one == "record" or one.startswith("record.") for one in self.asked):
                bound = facts.resource_of(session, event.name)
                seen["record"] = facts.of_record(session, bound, event) if bound else {}
        return seen

    def member(self, session: Session, member_id: UUID | None) -> Mapping[str, Any] | None:
        """What its expressions ask of one member; None where they ask nothing, or there is no member."""
        if member_id is None or not self.asks_member:
            return None
        return facts.of_members(session, [member_id], self.plugins).get(member_id)

    def matches(self, variables: Mapping[str, Any]) -> bool:
        """Whether the condition holds. Raises ExpressionFailed where it takes too long."""
        if self.condition is None:
            return True
        try:
            return self.condition.holds(variables)
        except BadExpression as problem:
            raise ExpressionFailed(expression=self.condition.text[:200], problem=str(problem)[:200]) from None


def ready(session: Session, definition: Definition) -> Ready:
    """The definition ready to run. Raises DefinitionInvalid with everything that is not there, by place."""
    problems = check(session, definition)
    if problems:
        raise DefinitionInvalid(problems)
    text = conditions.compiled(definition.condition)
    actions: dict[str, Action] = session.info["registry"].actions
    steps = []
    for step in definition.actions:
        asked = {name: value for name, value in step.values.items() if is_expression(value)}
        steps.append(
            ReadyStep(
                key=step.action,
                action=actions[step.action],
                stops=step.on_error == "stop",
                literals={name: value for name, value in step.values.items() if name not in asked},
                expressions={name: conditions.EXPRESSIONS.compiled(value[1:]) for name, value in asked.items()},
            )
        )
    mentioned = set(names(text)).union(*(names(one.text) for step in steps for one in step.expressions.values()))
    return Ready(definition, conditions.ready(definition.condition), tuple(steps), frozenset(mentioned))


def is_expression(value: Any) -> bool:
    """Whether a parameter is given as an expression: a text that begins with ``=``."""
    return isinstance(value, str) and value.startswith("=")


def check(session: Session, definition: Definition) -> Problems:
    """What a definition names that is not there now, and expressions that cannot be used, by place; empty when it fits.

    Places are those of DefinitionInvalid, such as ``condition.cel`` and ``actions.0.values.points``.
    """
    found: Problems = {}
    for place, sentence in _problems(session, definition):
        found.setdefault(place, []).append(sentence)
    return found


def _problems(session: Session, definition: Definition) -> Iterator[tuple[str, str]]:
    off = lifecycle.disabled(session)
    trigger = definition.trigger
    about_member = True
    if isinstance(trigger, EventTrigger):
        kind = session.info["registry"].events.get(trigger.event)
        if kind is None:
            yield "trigger.event", NO_EVENT.format(name=trigger.event)
            return
        if trigger.event.split(".")[0] in off:
            yield "trigger.event", EVENT_OFF.format(name=trigger.event)
        if trigger.member and trigger.member not in kind.model_fields:
            yield "trigger.member", _("The event has no such field.")
        bound = facts.resource_of(session, trigger.event)
        usual = facts.usual_field(kind.model_fields) or (bound is not None and facts.owner_column(bound))
        about_member = bool(trigger.member or usual)
    known = _known(session, definition)
    yield from _condition_problems(definition, known)
    actions: dict[str, Action] = session.info["registry"].actions
    for place, step in enumerate(definition.actions):
        action = actions.get(step.action)
        if action is None:
            yield f"actions.{place}.action", NO_ACTION.format(name=step.action)
            continue
        if step.action.split(".")[0] in off:
            yield f"actions.{place}.action", ACTION_OFF.format(name=step.action)
        if action.needs_member and not about_member:
            yield f"actions.{place}.action", _("This action needs a member, and the event names none.")
        yield from _value_problems(f"actions.{place}.values", action.form, step.values, known)


def _condition_problems(definition: Definition, known: Mapping[str, Collection[str]]) -> Iterator[tuple[str, str]]:
    for place, row in enumerate(definition.condition.rows):
        if sentence := _unknown([row.field], known):
            yield f"condition.rows.{place}.field", sentence
    where = "condition.cel" if definition.condition.cel else "condition.rows"
    try:
        conditions.ready(definition.condition)
    except BadExpression as problem:
        yield where, _located(problem)
        return
    if definition.condition.cel and (sentence := _unknown(names(definition.condition.cel), known)):
        yield where, sentence


def _value_problems(
    place: str, form: type[BaseModel], values: Mapping[str, Any], known: Mapping[str, Collection[str]]
) -> Iterator[tuple[str, str]]:
    """What is wrong with an action's parameters before any run: literals by its form, expressions by themselves."""
    asked = {name: value for name, value in values.items() if is_expression(value)}
    for name, value in asked.items():
        if name not in form.model_fields:
            yield f"{place}.{name}", _("The action has no such parameter.")
            continue
        try:
            conditions.EXPRESSIONS.compiled(value[1:])
        except BadExpression as problem:
            yield f"{place}.{name}", _located(problem)
            continue
        if sentence := _unknown(names(value[1:]), known):
            yield f"{place}.{name}", sentence
    try:
        form.model_validate({name: value for name, value in values.items() if name not in asked})
    except Exception as problem:
        if not isinstance(problem, ValidationError):  # the plugin's own code, which must not cost the others anything
            log.error("the form of an action broke", form=form.__qualname__, exc_info=problem)
            yield place, _("The action cannot tell whether these parameters fit. The log has the reason.")
            return
        for error in problem.errors():
            name = str(error["loc"][0]) if error["loc"] else ""
            if name not in asked:
                where = ".".join([place, *(str(one) for one in error["loc"])])
                yield where, error["msg"].removeprefix("Value error, ")


def _known(session: Session, definition: Definition) -> dict[str, Collection[str]]:
    """The names below each variable; those of a plugin's figures as ``plugin.figure``."""
    known: dict[str, Collection[str]] = {"event": (), "record": ()}
    trigger = definition.trigger
    if isinstance(trigger, EventTrigger) and (kind := session.info["registry"].events.get(trigger.event)):
        known["event"] = {"id", "name", "occurred_at", *kind.model_fields}
        if bound := facts.resource_of(session, trigger.event):
            known["record"] = facts.record_columns(bound)
    plugins = facts.fields_of_plugins(session)
    known["member"] = {*facts.OWN, *plugins, *(f"{one}.{name}" for one, fields in plugins.items() for name in fields)}
    return known


def _unknown(mentioned: Collection[str], known: Mapping[str, Collection[str]]) -> str:
    """What to say of names that nothing has; empty where all are known."""
    for name in sorted(mentioned):
        root, _dot, below = name.partition(".")
        if root not in known or not below:
            continue
        parts = below.split(".")
        plugin_figure = root == "member" and parts[0] not in facts.OWN and len(parts) > 1
        wanted = ".".join(parts[:2]) if plugin_figure else parts[0]
        if wanted not in known[root]:
            if root == "event":
                return _("It asks for a field that the event does not have.")
            if root == "record":
                return _("It asks for a field that the record does not have, or that nobody may see.")
            return _("It asks for something that nobody knows of a member.")
    return ""


def _located(problem: BadExpression) -> str:
    """What is wrong, with the place where that is known."""
    where = f" ({problem.line}:{problem.column})" if problem.line else ""
    return f"{problem}{where}"
