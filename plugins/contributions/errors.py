"""Why a contribution is refused."""

from __future__ import annotations

from guildhall import Conflict, Invalid, Limit, NotFound, _


class DuplicateEvent(Conflict):
    """``details`` is the first contribution with the same type and key, as a JSON object."""

    code = "DUPLICATE_EVENT"
    sentence = _("This {type} was already recorded; the first one stands.")


class InvalidContributionType(Invalid):
    code = "INVALID_CONTRIBUTION_TYPE"
    sentence = _("There is no enabled contribution type called {type}.")


class InvalidMetadata(Invalid):
    code = "INVALID_METADATA"
    sentence = _("The details must be a JSON object of at most {limit} characters.")


class InvalidEvent(Invalid):
    code = "INVALID_EVENT"
    sentence = _("The line cannot be read as a contribution: {problem}")


class OccurredInFuture(Invalid):
    code = "OCCURRED_IN_FUTURE"
    sentence = _("A contribution cannot be dated in the future: {occurred_at}.")


class OccurredTooLongAgo(Invalid):
    code = "OCCURRED_TOO_LONG_AGO"
    sentence = _("A contribution may be at most {days} days old when it is reported; import older ones.")


class FrequencyLimit(Limit):
    """The contribution is kept as ``rejected`` with this code in ``reason``, so that a retry gets the same answer."""

    code = "FREQUENCY_LIMIT"
    sentence = _("The limit of {count} for each {per} is reached for this member and type.")


class ScoringError(Invalid):
    code = "SCORING_ERROR"
    sentence = _("The rules of the type {type} cannot be used: {problem}")


class MemberUnknown(NotFound):
    code = "MEMBER_NOT_FOUND"
    sentence = _("There is no such member.")


class TooManyLines(Invalid):
    code = "TOO_MANY_LINES"
    sentence = _("One call takes at most {limit} contributions; send the rest in another one.")


class NotARepository(Invalid):
    code = "NOT_A_REPOSITORY"
    sentence = _("{path} is not a git repository that can be read: {problem}")
