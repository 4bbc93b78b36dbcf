"""Domain errors. A service raises them; the edge turns each into a status, a code and a sentence.

A plugin's ``errors.py`` subclasses one of the six heads and gives ``code`` and ``sentence``::

    class InsufficientFunds(Conflict):
        code = "INSUFFICIENT_FUNDS"
        sentence = _("The account holds {available}, but {needed} is needed.")

    raise InsufficientFunds(available="5", needed="10")
"""

from __future__ import annotations

from typing import Any, ClassVar

from core.i18n import _


class DomainError(Exception):
    """A refusal with a stable ``code``, an HTTP ``status`` and ``params`` that fill the ``sentence``.

    A refusal undoes what the request wrote. With ``keeps`` it is committed although the answer is a refusal: for a
    failed attempt that must be counted. The gateway and the Idempotency-Key do it; raise such an error outside of
    any savepoint of your own, and write nothing before it that must not stay. ``page`` is where a person in a browser
    is sent to put it right. With ``stays`` who sent a form is shown the page that it stood on, with the sentence.
    """

    code: ClassVar[str] = "ERROR"
    status: ClassVar[int] = 400
    keeps: ClassVar[bool] = False
    page: ClassVar[str] = ""
    stays: ClassVar[bool] = False
    sentence: ClassVar[str] = _("The request could not be carried out.")

    def __init__(self, details: Any = None, **params: Any) -> None:
        self.params = params
        self.details = details
        super().__init__(self.message)

    @property
    def message(self) -> str:
        """The English sentence with its parameters filled in."""
        return self.fill(self.sentence)

    def fill(self, sentence: str) -> str:
        """``sentence`` (perhaps translated) with this error's parameters."""
        return sentence.format(**self.params)


class Invalid(DomainError):
    """The input cannot be accepted. ``details`` may map field names to lists of sentences."""

    code = "INVALID"
    status = 422
    sentence = _("Some values cannot be accepted.")


class NotFound(DomainError):
    code = "NOT_FOUND"
    status = 404
    sentence = _("There is no such thing here.")


class Forbidden(DomainError):
    code = "FORBIDDEN"
    status = 403
    sentence = _("You are not allowed to do this.")


class Conflict(DomainError):
    """The state of things does not allow it now."""

    code = "CONFLICT"
    status = 409
    sentence = _("The present state does not allow this.")


class Limit(DomainError):
    """Too much, too often; ``params`` may hold ``retry_after`` in seconds."""

    code = "LIMIT"
    status = 429
    sentence = _("Too many requests. Try again later.")


class Unavailable(DomainError):
    """Something Guildhall depends on does not answer; trying again later may work."""

    code = "UNAVAILABLE"
    status = 503
    sentence = _("This is not available at the moment. Try again soon.")


class Unauthenticated(Forbidden):
    code = "UNAUTHENTICATED"
    status = 401
    sentence = _("Sign in to do this.")


class PermissionMissing(Forbidden):
    code = "PERMISSION_MISSING"
    sentence = _("This needs the permission {permission}.")


class StepUpRequired(Forbidden):
    """The act takes a fresh proof of who acts; see ``Actor.require_step_up``."""

    code = "STEP_UP_REQUIRED"
    page = "/confirm"
    sentence = _("Confirm with your password that it is you, then try again.")


class WhileImpersonating(Forbidden):
    """What only the member themselves may do was asked by an admin who acts as them; see ``Actor.require_own``."""

    code = "WHILE_IMPERSONATING"
    sentence = _("You act as another member. Only they themselves can do this.")


class ReadOnlyImpersonation(Forbidden):
    """An admin who only looks around as another member asked for a change."""

    code = "IMPERSONATION_READ_ONLY"
    sentence = _("You are looking around as another member, and can change nothing.")


class AdminAddressRefused(Forbidden):
    """An admin, or the API key of one, came from an address that the setting ``admin_addresses`` does not name."""

    code = "ADMIN_ADDRESS_REFUSED"
    sentence = _("Admins cannot come from the address {address}. Ask an admin who can to allow it.")


class TwoFactorRequired(Forbidden):
    """An admin without a second factor, while the settings ask admins for one."""

    code = "TWO_FACTOR_REQUIRED"
    page = "/profile/two-factor"
    sentence = _("Admins sign in with a second factor here. Set it up on your profile first.")


class SessionRequired(Forbidden):
    """An API key asked for what belongs to a signed-in person."""

    code = "SESSION_REQUIRED"
    sentence = _("An API key cannot do this. It takes a person who has signed in.")
