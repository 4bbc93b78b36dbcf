"""What automations refuse."""

from __future__ import annotations

from core.errors import Conflict, Forbidden, Invalid, Limit, Unavailable
from core.i18n import _


class DefinitionInvalid(Invalid):
    """``details`` map places such as ``trigger.event`` or ``actions.0.values.points`` to sentences."""

    code = "AUTOMATION_INVALID"
    sentence = _("This automation cannot be used as it is.")


class NameTaken(Conflict):
    code = "AUTOMATION_NAME_TAKEN"
    sentence = _("Another automation is called {name}.")


class NotOn(Conflict):
    code = "AUTOMATION_NOT_ON"
    sentence = _("This automation is not on.")


class StillOn(Conflict):
    code = "AUTOMATION_STILL_ON"
    sentence = _("This automation is on. Turn it off first.")


class NotManual(Conflict):
    code = "AUTOMATION_NOT_MANUAL"
    sentence = _("This automation is not one that is started by hand.")


class NotRepeatable(Conflict):
    code = "AUTOMATION_RUN_NOT_REPEATABLE"
    sentence = _("Only a run that failed can be made again; this one is {state}.")


class EventGone(Conflict):
    code = "AUTOMATION_EVENT_GONE"
    sentence = _("The event of this run is no longer kept.")


class ActionsRefused(Forbidden):
    """Who turns an automation on may not do all that it does; ``permissions`` names what is missing."""

    code = "AUTOMATION_ACTIONS_REFUSED"
    sentence = _("This automation does what you may not do yourself. You need {permissions}.")


class Waits(Unavailable):
    """What the automation names is not there: a plugin is off or gone, an action or an event with it."""

    code = "AUTOMATION_WAITS"
    sentence = _("This automation waits: something that it names is not there.")


class LimitReached(Limit):
    code = "AUTOMATION_LIMIT"
    sentence = _("It ran as often as its limit allows.")


class Loop(Conflict):
    code = "AUTOMATION_LOOP"
    sentence = _("Automations started each other in a circle, so it was not carried out.")


class CapReached(Limit):
    code = "AUTOMATION_CAP_REACHED"
    status = 409
    sentence = _("The cap of {cap} does not allow {amount} more: {used} is used up.")


class MemberNeeded(Invalid):
    code = "AUTOMATION_MEMBER_NEEDED"
    sentence = _("The action needs a member, and what happened names none.")


class ValuesInvalid(Invalid):
    """An action's parameters came to something that its form refuses."""

    code = "AUTOMATION_VALUES"
    sentence = _("The parameters of the action cannot be used: {problem}")


class ExpressionFailed(Invalid):
    code = "AUTOMATION_EXPRESSION"
    sentence = _("The expression {expression} came to nothing: {problem}")


class ActionBroke(Conflict):
    """An action failed in a way that it does not explain; the log has it."""

    code = "AUTOMATION_ACTION_BROKE"
    sentence = _("Something went wrong in the action. It has been noted in the log.")


class FileInvalid(Invalid):
    """A file to import that is no automation; ``details`` map ``line:column`` to sentences."""

    code = "AUTOMATION_FILE"
    sentence = _("The file cannot be read as automations.")


class NobodyChosen(Invalid):
    code = "AUTOMATION_NOBODY_CHOSEN"
    sentence = _("Choose at least one member.")


class TooManyMembers(Limit):
    code = "AUTOMATION_TOO_MANY_MEMBERS"
    status = 422
    sentence = _("At most {most} members can be chosen at once.")


class NothingNew(Conflict):
    code = "AUTOMATION_NOTHING_NEW"
    sentence = _("The plugin suggests nothing else than what was taken over.")
