"""Why a contribution is refused."""

from __future__ import annotations

from guildhall import Conflict, Forbidden, Invalid, Limit, NotFound, _


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


class DetailsUnfit(InvalidMetadata):
    """The details do not meet the type's JSON Schema. ``place`` is a path such as ``details/lines``."""

    sentence = _("{place} does not fit: the type asks for {rule} {expected}.")


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


class CoolDown(FrequencyLimit):
    sentence = _("This type counts again {seconds} seconds after the last one.")


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


class AlreadyDecided(Conflict):
    code = "ALREADY_DECIDED"
    sentence = _("Somebody has decided this already: it was {state}.")


class NotCounted(Conflict):
    code = "NOT_COUNTED"
    sentence = _("Only a contribution that counts can be corrected; this one is {state}.")


class RescoreNotReady(Conflict):
    code = "RESCORE_NOT_READY"
    sentence = _("This period is {state}: try it first, then apply it once.")


class ImportNotReady(Conflict):
    code = "IMPORT_NOT_READY"
    sentence = _("This import is {state}: try it first, then import, and undo it only when nothing of it is under way.")


class FileForgotten(Conflict):
    code = "FILE_FORGOTTEN"
    sentence = _("The file of this import is no longer kept. Send it again.")


class SeasonNotOver(Conflict):
    code = "SEASON_NOT_OVER"
    sentence = _("The season runs until {ends_at}; it can be closed after that.")


class SeasonIsClosed(Conflict):
    code = "SEASON_CLOSED"
    sentence = _("The season is closed; its dates and awards can no longer change.")


class IdentityTaken(Conflict):
    code = "IDENTITY_TAKEN"
    sentence = _("Another account already has this identity; ask an admin if it is yours.")


class ClaimPending(Conflict):
    code = "CLAIM_PENDING"
    sentence = _("You have asked for this identity already; an admin will decide.")


class SignatureInvalid(Forbidden):
    code = "SIGNATURE_INVALID"
    sentence = _("The signature does not fit the body; check the secret on both sides.")


class PayloadUnreadable(Invalid):
    code = "PAYLOAD_UNREADABLE"
    sentence = _("The payload cannot be read as contributions: {problem}")
