"""What an automation says, in plain words: one sentence, its parts, and what differs between two versions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property
from typing import Any

from flask_babel import format_decimal, gettext
from markupsafe import Markup
from sqlalchemy.orm import Session

from core.automations import catalogue
from core.automations.catalogue import Choice, FieldChoice
from core.automations.definition import Allowance, Definition, Row, ScheduleTrigger, Step, Trigger
from core.i18n import _
from core.wording import field_label, words

WEEKDAYS = (_("Monday"), _("Tuesday"), _("Wednesday"), _("Thursday"), _("Friday"), _("Saturday"), _("Sunday"))
ORDER = {"gt": _("is more than"), "ge": _("is at least"), "lt": _("is less than"), "le": _("is at most")}
TIMES = {"gt": _("is after"), "ge": _("is not before"), "lt": _("is before"), "le": _("is not after")}
SAME = {"is": _("is"), "is_not": _("is not")}
SEVERAL = {"in": _("is one of"), "not_in": _("is none of")}
THERE = {"is_set": _("is given"), "is_not_set": _("is not given")}
LIKE = {"contains": _("contains"), "starts_with": _("begins with")}
OPERATORS: dict[str, dict[str, str]] = {
    "text": SAME | SEVERAL | LIKE | THERE,
    "number": SAME | ORDER | SEVERAL | THERE,
    "bool": SAME | THERE,
    "time": TIMES | THERE,
    "list": {"contains": LIKE["contains"]} | THERE,
    "any": SAME | ORDER | SEVERAL | LIKE | THERE,
}
PERIODS = {
    "ever": _("ever"),
    "day": _("a day"),
    "week": _("a week"),
    "month": _("a month"),
}
LONGEST_VALUE = 60


@dataclass(frozen=True)
class Said:
    """An automation in words; ``then`` holds a line an action. All of it is safe to be shown as HTML."""

    when: Markup
    condition: Markup
    then: tuple[Markup, ...]
    limits: tuple[Markup, ...]

    @property
    def text(self) -> str:
        """All of it as one sentence without markup, for lists."""
        if self.condition:
            said = _s(
                _("%(when)s, if %(condition)s: %(then)s."), when=self.when, condition=self.condition, then=self._all
            )
        else:
            said = _s(_("%(when)s: %(then)s."), when=self.when, then=self._all)
        return str(said.striptags())

    @property
    def _all(self) -> Markup:
        return Markup("; ").join(self.then)


class Words:
    """Puts automations into words; reads names and labels once for all of them."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._fields: dict[str, dict[str, FieldChoice]] = {}

    def said(self, definition: Definition) -> Said:
        """The definition in words."""
        condition, trigger = definition.condition, definition.trigger
        holds = _code(condition.cel) if condition.cel else self._rows(trigger, condition.rows, condition.match)
        return Said(
            self._when(trigger),
            holds,
            tuple(self._step(step) for step in definition.actions),
            tuple(_limits(definition)),
        )

    def lines(self, definition: Definition) -> list[Markup]:
        """The lines of its condition, each in words."""
        known = self._known(definition.trigger)
        return [self._row(one, known.get(one.field)) for one in definition.condition.rows]

    def changes(self, before: Definition, after: Definition) -> list[Markup]:
        """What differs, a line each; nothing where nothing does."""
        old, new = self.said(before), self.said(after)
        found = []
        for label, was, now in (
            (_("When"), old.when, new.when),
            (_("If"), old.condition or gettext(_("always")), new.condition or gettext(_("always"))),
        ):
            if was != now:
                found.append(
                    _s(_("%(part)s: %(before)s → %(after)s"), part=gettext(label), before=_del(was), after=_ins(now))
                )
        for kind, first, last, begin, end in SequenceMatcher(None, old.then, new.then, autojunk=False).get_opcodes():
            if kind != "equal":
                found += [_s(_("Then, no longer: %(action)s"), action=_del(one)) for one in old.then[first:last]]
                found += [_s(_("Then, new: %(action)s"), action=_ins(one)) for one in new.then[begin:end]]
        if old.limits != new.limits:
            found.append(_s(_("Limits: %(limits)s"), limits=_ins(Markup(" ").join(new.limits) or gettext(_("none")))))
        return found

    @cached_property
    def _events(self) -> dict[str, Choice]:
        return {one.value: one for one in catalogue.events(self._session)}

    @cached_property
    def actions(self) -> dict[str, Any]:
        """The actions there are now."""
        return catalogue.actions(self._session)

    @cached_property
    def _member_fields(self) -> dict[str, FieldChoice]:
        return {one.path: one for one in catalogue.member_fields(self._session)}

    @cached_property
    def _choices(self) -> dict[tuple[str, str], dict[str, str]]:
        return {}

    def event(self, name: str) -> str:
        """What an event is called; its name where nobody knows it now."""
        if not name:
            return "…"
        found = self._events.get(name)
        return gettext(found.label) if found else name

    def action(self, name: str) -> str:
        """What an action is called; its name where nobody knows it now."""
        found = self.actions.get(name)
        return gettext(found.label) if found else name

    def _when(self, trigger: Trigger) -> Markup:
        if trigger.kind == "event":
            name = self.event(trigger.event)
            return _s(_("When this happens: %(event)s"), event=_strong(name))
        if trigger.kind == "manual":
            return _s(_("When somebody starts it for members they choose"))
        return schedule(trigger)

    def _rows(self, trigger: Trigger, rows: Sequence[Row], match: str) -> Markup:
        known = self._known(trigger)
        return Markup(f" {gettext(_('and') if match == 'all' else _('or'))} ").join(
            self._row(one, known.get(one.field)) for one in rows
        )

    def _known(self, trigger: Trigger) -> dict[str, FieldChoice]:
        """The fields that a condition can ask for, by their paths."""
        return self._member_fields | (self._of(trigger.event) if trigger.kind == "event" else {})

    def _of(self, event: str) -> dict[str, FieldChoice]:
        if event not in self._fields:
            self._fields[event] = {one.path: one for one in catalogue.event_fields(self._session, event)}
        return self._fields[event]

    def _row(self, row: Row, field: FieldChoice | None) -> Markup:
        label = self._field(field) if field else row.field
        named = OPERATORS.get(field.kind if field else "any", OPERATORS["any"])
        operator = gettext(named.get(row.operator) or OPERATORS["any"].get(row.operator, row.operator))
        if row.operator in THERE:
            return _s(_("%(field)s %(operator)s"), field=label, operator=operator)
        return _s(
            _("%(field)s %(operator)s %(value)s"), field=label, operator=operator, value=_strong(_value(row.value))
        )

    @staticmethod
    def _field(field: FieldChoice) -> str:
        label = str(gettext(field.label))
        if not field.path.startswith("member."):
            return label
        figure = f"{gettext(field.help)}: {label}" if field.path.count(".") > 1 else label
        return str(gettext(_("%(field)s of the member"), field=figure))

    def _step(self, step: Step) -> Markup:
        action = self.actions.get(step.action)
        fields = action.form.model_fields if action else {}
        given = [
            self.parameter(step.action, name, step.values[name])
            for name in dict.fromkeys((*fields, *step.values))
            if name in step.values
            and (name not in fields or fields[name].is_required() or step.values[name] != fields[name].default)
        ]
        label = self.action(step.action)
        if not given:
            return _strong(label)
        return _s(_("%(action)s (%(parameters)s)"), action=_strong(label), parameters=Markup(", ").join(given))

    def parameter(self, name: str, key: str, value: Any) -> Markup:
        """A parameter of the action ``name``, as it was given."""
        action = self.actions.get(name)
        field = action.form.model_fields.get(key) if action else None
        label = gettext(field_label(key, field.title if field else None))
        if isinstance(value, str) and value.startswith("="):
            shown: Any = _code(value[1:].strip())
        else:
            shown = self._called(name, action, key).get(str(value)) or _value(value)
        return _s(_("%(label)s: %(value)s"), label=label, value=shown)

    def _called(self, name: str, action: Any, key: str) -> dict[str, str]:
        """What the values of a parameter are called, where they are chosen from rows of the database."""
        if action is None or not action.choices or key not in action.choices:
            return {}
        if (name, key) not in self._choices:
            self._choices[name, key] = {str(one): gettext(label) for one, label in action.choices[key](self._session)}
        return self._choices[name, key]


def schedule(trigger: ScheduleTrigger) -> Markup:
    """When a schedule is due, in words."""
    at = f"{trigger.hour:02d}:{trigger.minute:02d}"
    if trigger.every == "hourly":
        return _s(_("Every hour at minute %(minute)s, for every active member"), minute=_strong(str(trigger.minute)))
    if trigger.every == "daily":
        return _s(_("Every day at %(time)s (%(zone)s), for every active member"), time=_strong(at), zone=trigger.zone)
    day = _strong(gettext(WEEKDAYS[trigger.weekday]))
    return _s(
        _("Every %(day)s at %(time)s (%(zone)s), for every active member"), day=day, time=_strong(at), zone=trigger.zone
    )


def _limits(definition: Definition) -> list[Markup]:
    sentences = (
        (definition.limits.per_member, _("At most %(times)s %(period)s for one member.")),
        (definition.limits.in_all, _("At most %(times)s %(period)s for everybody together.")),
    )
    return [_s(sentence, times=_times(one), period=gettext(PERIODS[one.period])) for one, sentence in sentences if one]


def _times(one: Allowance) -> str:
    if one.times == 1:
        return str(gettext(_("once")))
    return str(gettext(_("%(number)s times"), number=format_decimal(one.times)))


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return str(gettext(_("Yes") if value else _("No")))
    if isinstance(value, (int, float)):
        return str(format_decimal(value))
    if isinstance(value, (list, tuple)):
        return ", ".join(_value(one) for one in value)
    text = "—" if value is None else str(value)
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 1]}…"


def _s(sentence: str, **parts: Any) -> Markup:
    """The sentence in the reader's language, with its parts escaped unless they are markup."""
    return Markup(gettext(sentence)) % parts if parts else Markup(gettext(sentence))


def _strong(text: str) -> Markup:
    return Markup("<b>{}</b>").format(text)


def _code(text: str) -> Markup:
    return Markup('<code dir="ltr">{}</code>').format(text)


def _del(text: str) -> Markup:
    return Markup("<del>{}</del>").format(text)


def _ins(text: str) -> Markup:
    return Markup("<ins>{}</ins>").format(text)


def outcome(code_or_state: str) -> str:
    """A state of a run or an action, as it is called."""
    known = {
        "done": _("Done"),
        "partly": _("Done in part"),
        "failed": _("Failed"),
        "limited": _("Limit reached"),
        "loop": _("Loop"),
        "taken_back": _("Taken back"),
        "left": _("Not tried"),
    }
    return str(gettext(known.get(code_or_state) or words(code_or_state)))
