"""Which changes of a state are allowed, and to whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.errors import Conflict, Invalid, PermissionMissing
from core.i18n import _
from core.wording import words

if TYPE_CHECKING:
    from core.actor import Actor


class TransitionRefused(Conflict):
    """No transition leads from the present state to the wanted one; the sentence names where one leads."""

    code = "TRANSITION_REFUSED"
    sentence = _("From {from_state} it can become {allowed}, not {to_state}.")


class StateFinal(TransitionRefused):
    sentence = _("No change leads on from {from_state}, so it cannot become {to_state}.")


class ReasonNeeded(Invalid):
    """A transition with ``reason=True`` was asked for where none can be given, such as by PATCH."""

    code = "REASON_NEEDED"
    sentence = _("To become {to_state} takes a reason: use the button of the record, or the REST route {name}.")


class StateNotInitial(Invalid):
    code = "STATE_NOT_INITIAL"
    sentence = _("A new record begins as {allowed}, not as {given}.")


@dataclass(frozen=True)
class Transition:
    """A change of a state that is allowed. With one of them, every other change of that column is refused.

    - ``column``: an enumerated column; ``from_``: one or several of its values; ``to``: the value after it.
    - ``permission``: what making it takes; by default the one to change records. Who holds it needs no other for the
      button and the REST route; a form and PATCH take the one to change records beside it.
    - ``label``: what its button says, by default the value in words; ``icon`` is of the sprite.
    - ``reason``: a reason must be given, which stands in the history and in the audit trail.
    - ``name``: a slug, unique within the resource, by which REST calls it (``POST …/<id>/<name>``); default ``to``.
    - ``danger``: its button looks so.
    """

    column: str
    from_: str | Sequence[str]
    to: str
    permission: str = ""
    label: str = ""
    reason: bool = False
    name: str = ""
    icon: str = "arrow-right"
    danger: bool = False

    @property
    def sources(self) -> tuple[str, ...]:
        return (self.from_,) if isinstance(self.from_, str) else tuple(self.from_)

    @property
    def slug(self) -> str:
        return self.name or self.to

    @property
    def title(self) -> str:
        """What its button says, in English."""
        return self.label or words(self.to)


@dataclass(frozen=True)
class Move:
    """A state that is about to change by ``transition``."""

    transition: Transition
    from_state: str


def columns_of(transitions: Sequence[Transition]) -> tuple[str, ...]:
    """The columns that transitions govern."""
    return tuple(dict.fromkeys(one.column for one in transitions))


def value_of(state: Any) -> str:
    """A state as it is declared; of an enumeration its value."""
    return str(getattr(state, "value", state))


def check_begin(initial: Mapping[str, Sequence[str]], values: Mapping[str, Any]) -> None:
    """Refuse a new record that begins in another state than it may. Raises StateNotInitial."""
    for column, allowed in initial.items():
        if values.get(column) is not None and value_of(values[column]) not in allowed:
            raise StateNotInitial(given=value_of(values[column]), allowed=", ".join(allowed))


def chosen(
    transitions: Sequence[Transition],
    actor: Actor,
    column: str,
    from_state: str,
    to_state: str,
    *,
    permission: str,
    with_reason: bool,
) -> Transition:
    """The transition by which ``actor`` may change ``column`` so; ``permission`` counts where one names none.

    Raises TransitionRefused, PermissionMissing, ReasonNeeded.
    """
    leading = [one for one in transitions if one.column == column and from_state in one.sources]
    fitting = [one for one in leading if one.to == to_state]
    if not fitting:
        raise refusal(transitions, column, from_state, to_state)
    allowed = [one for one in fitting if actor.can(one.permission or permission)]
    if not allowed:
        raise PermissionMissing(permission=fitting[0].permission or permission)
    for one in allowed:
        if with_reason or not one.reason:
            return one
    raise ReasonNeeded(to_state=to_state, name=allowed[0].slug)


def refusal(transitions: Sequence[Transition], column: str, from_state: str, to_state: str) -> TransitionRefused:
    """That no transition leads there."""
    leading = dict.fromkeys(one.to for one in transitions if one.column == column and from_state in one.sources)
    if not leading:
        return StateFinal(from_state=from_state, to_state=to_state)
    return TransitionRefused(from_state=from_state, to_state=to_state, allowed=", ".join(leading))
