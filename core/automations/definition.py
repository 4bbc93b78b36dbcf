"""What an automation says, as it is kept and as YAML has it. Whether what it names is there is told by ``fitting``."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from core.automations.errors import DefinitionInvalid
from core.expressions import LONGEST
from core.i18n import _

MOST_ROWS = 20
MOST_ACTIONS = 20
LONGEST_VALUE = 500
MOST_VALUES = 100
MOST_LEFT_OUT = 100
UNSAID: dict[str, Any] = {
    "trigger": {"kind": "event", "event": ""},
    "condition": {},
    "actions": [{"action": "…"}],
    "limits": {},
    "origin": None,
}
LARGEST_VALUES = 20_000  # characters of all parameters of an action as JSON
PERIODS = ("ever", "day", "week", "month")
OPERATORS = (
    "is",
    "is_not",
    "gt",
    "ge",
    "lt",
    "le",
    "contains",
    "starts_with",
    "in",
    "not_in",
    "is_set",
    "is_not_set",
)
Operator = Literal[
    "is", "is_not", "gt", "ge", "lt", "le", "contains", "starts_with", "in", "not_in", "is_set", "is_not_set"
]
Period = Literal["ever", "day", "week", "month"]


class Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class EventTrigger(Part):
    """It starts when ``event`` happens; ``member`` names the field of the event that names the member, empty for the
    usual one (``member_id``, ``owner_id``, ``author_id``, …; of a record, its owner)."""

    kind: Literal["event"] = "event"
    event: str = Field(max_length=120)
    member: str = Field("", max_length=80)


class ScheduleTrigger(Part):
    """It starts for every active member in time: each hour at minute ``minute``, each day at ``hour``:``minute``, or
    each week on ``weekday`` (0 is Monday), in the time zone ``zone``."""

    kind: Literal["schedule"] = "schedule"
    every: Literal["hourly", "daily", "weekly"] = "daily"
    hour: int = Field(9, ge=0, le=23)
    minute: int = Field(0, ge=0, le=59)
    weekday: int = Field(0, ge=0, le=6)
    zone: str = Field("UTC", max_length=64)

    @field_validator("zone")
    @classmethod
    def _known(cls, given: str) -> str:
        try:
            ZoneInfo(given)
        except (KeyError, ValueError, OSError):
            raise ValueError(_("There is no such time zone. One is called like Europe/Berlin.")) from None
        return given


class ManualTrigger(Part):
    """It starts when a person asks for it, for members they choose."""

    kind: Literal["manual"] = "manual"


Trigger = Annotated[EventTrigger | ScheduleTrigger | ManualTrigger, Field(discriminator="kind")]


class Row(Part):
    """A line of a condition: ``field`` such as ``event.amount`` or ``member.tier``, compared with ``value``.

    ``value`` is a text, a number, true or false; a list for ``in`` and ``not_in``; nothing for ``is_set`` and
    ``is_not_set``. A field that is not there makes every line false but ``is_not``, ``not_in`` and ``is_not_set``.
    """

    field: str = Field(max_length=120, pattern=r"^(event|member|record)(\.[A-Za-z_][A-Za-z0-9_]*){1,3}$")
    operator: Operator
    value: bool | int | float | str | list[bool | int | float | str] | None = None

    @model_validator(mode="after")
    def _fits(self) -> Row:
        for one in self.value if isinstance(self.value, list) else [self.value]:
            if isinstance(one, str) and len(one) > LONGEST_VALUE:
                raise ValueError(_("Give a shorter text."))
            if isinstance(one, str) and "\0" in one:
                raise ValueError(_("Give a plain text."))
        if isinstance(self.value, list) and len(self.value) > MOST_VALUES:
            raise ValueError(_("Give fewer values."))
        several = self.operator in ("in", "not_in")
        if self.operator in ("is_set", "is_not_set"):
            if self.value is not None:
                raise ValueError(_("This comparison takes no value."))
        elif several != isinstance(self.value, list) or self.value is None:
            raise ValueError(_("Give several values.") if several else _("Give a value."))
        if self.operator in ("contains", "starts_with") and not isinstance(self.value, str):
            raise ValueError(_("Give a text."))
        return self


class Condition(Part):
    """Lines of which ``all`` or ``any`` hold, or else an expression ``cel``. Without either it always holds."""

    match: Literal["all", "any"] = "all"
    rows: Annotated[tuple[Row, ...], Field(max_length=MOST_ROWS)] = ()
    cel: Annotated[str, Field(max_length=LONGEST)] = ""

    @model_validator(mode="after")
    def _one(self) -> Condition:
        if "\0" in self.cel:
            raise ValueError(_("Give a plain text."))
        if self.rows and self.cel:
            raise ValueError(_("Give either lines or an expression."))
        return self


class Step(Part):
    """An action ``<plugin>.<name>`` with its parameters: literals, or expressions that begin with ``=``.

    ``on_error``: ``stop`` takes back all that the run did; ``go_on`` notes the failure and does the next.
    """

    action: str = Field(max_length=120)
    values: dict[str, Any] = Field(default_factory=dict)
    on_error: Literal["stop", "go_on"] = "stop"

    @field_validator("values")
    @classmethod
    def _bounded(cls, given: dict[str, Any]) -> dict[str, Any]:
        try:
            written = json.dumps(given, allow_nan=False)
        except (TypeError, ValueError, RecursionError):
            raise ValueError(_("Give values that JSON has.")) from None
        if len(written) > LARGEST_VALUES:
            raise ValueError(_("Give less."))
        if "\\u0000" in written:
            raise ValueError(_("Give a plain text."))
        return given


class Allowance(Part):
    """At most so many ``times`` in each ``period`` (days, weeks from Monday and months in UTC), or ``ever``."""

    times: int = Field(ge=1, le=1_000_000_000)
    period: Period = "day"


class Limits(Part):
    """How often it may run for one member, and altogether."""

    per_member: Allowance | None = None
    in_all: Allowance | None = None


class Origin(Part):
    """What it was taken over from: the ``suggestion`` ``<plugin>.<name>``, with the ``digest`` of what it said then."""

    suggestion: str = Field(max_length=120)
    digest: str = Field(max_length=64)


class Definition(Part):
    """When ``trigger``, if ``condition``, then ``actions``, within ``limits``.

    ``origin`` is kept from version to version, and does nothing.
    """

    trigger: Trigger
    condition: Condition = Condition()
    actions: tuple[Step, ...] = Field(min_length=1, max_length=MOST_ACTIONS)
    limits: Limits = Limits()
    origin: Origin | None = None

    @classmethod
    def read(cls, given: Any) -> Definition:
        """``given``, a Definition or its JSON, as a Definition.

        Raises DefinitionInvalid; its details map places such as ``actions.0.values.points`` to sentences.
        """
        if isinstance(given, Definition):
            return given
        try:
            return cls.model_validate(given)
        except ValidationError as problem:
            raise DefinitionInvalid(told(problem)) from None

    @property
    def plain(self) -> dict[str, Any]:
        """As JSON, and as YAML has it: what is not given is left out."""
        return self.model_dump(mode="json", exclude_defaults=True) | {
            "trigger": {"kind": self.trigger.kind, **self.trigger.model_dump(mode="json", exclude_defaults=True)}
        }


@dataclass(frozen=True)
class Kept:
    """A version as it is kept: ``raw`` is its JSON; ``definition`` is None where this release cannot read it, and
    ``problems`` say why, by place."""

    raw: Any
    definition: Definition | None
    problems: dict[str, list[str]]

    @classmethod
    def of(cls, raw: Any) -> Kept:
        try:
            return cls(raw, Definition.read(raw), {})
        except DefinitionInvalid as problem:
            return cls(raw, None, problem.details if isinstance(problem.details, dict) else {})

    @property
    def plain(self) -> dict[str, Any]:
        """As JSON, and as YAML has it; what cannot be read as it is kept."""
        if self.definition is not None:
            return self.definition.plain
        return self.raw if isinstance(self.raw, dict) else {"definition": self.raw}

    @property
    def readable(self) -> dict[str, Any]:
        """What of it this release can read, for a form: unknown parts are left out, and what cannot be used."""
        plain = copy.deepcopy(self.plain)
        found = {"trigger": {}, "actions": []} | {key: plain[key] for key in plain if key in Definition.model_fields}
        for _try in range(MOST_LEFT_OUT):
            try:
                Definition.model_validate(found)
            except ValidationError as problem:
                error = problem.errors()[0]
                place = _place(error)
                if error["type"] == "missing":
                    place = place[:-1]  # what lacks something goes whole
                if len(place) > 1:
                    _leave_out(found, place)
                else:
                    found |= {place[0]: UNSAID[str(place[0])]}
            else:
                break
        else:
            found = dict(UNSAID)
        return found | {"actions": [] if found["actions"] == UNSAID["actions"] else found["actions"]}

    @property
    def event(self) -> str:
        """The event that starts it, as far as that can be told; empty where none does."""
        trigger = self.plain.get("trigger")
        event = trigger.get("event") if isinstance(trigger, dict) else None
        return event if isinstance(event, str) else ""


def told(problem: ValidationError, before: str = "") -> dict[str, list[str]]:
    """What pydantic found, by place."""
    found: dict[str, list[str]] = {}
    for error in problem.errors():
        parts = [str(one) for one in _place(error)]
        if parts == ["actions"] and error["type"] == "too_short" and any(one.startswith("actions.") for one in found):
            continue  # there are some, which are wrong
        sentence = error["msg"].removeprefix("Value error, ")
        if error["type"] == "extra_forbidden":
            sentence = _("There is no such part in this release.")
        found.setdefault(".".join([before, *parts] if before else parts), []).append(sentence)
    return found


def _place(error: Mapping[str, Any]) -> list[str | int]:
    """Where pydantic found something, without a union's tag, which is part of its place and of nobody else's."""
    parts = list(error["loc"])
    if parts[:1] == ["trigger"] and parts[1:2] and parts[1] in ("event", "schedule", "manual"):
        del parts[1]
    return parts


def _leave_out(whole: Any, place: list[str | int]) -> None:
    """Take the innermost thing that a place names, as far as there is one, out of lists and dictionaries."""
    held, last = whole, place[0]
    for step in place:
        there = step in held if isinstance(held, dict) else isinstance(held, list) and isinstance(step, int)
        if not there:
            break
        whole, last, held = held, step, held[step]
    del whole[last]
