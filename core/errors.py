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
    """A refusal with a stable ``code``, an HTTP ``status`` and ``params`` that fill the ``sentence``."""

    code: ClassVar[str] = "ERROR"
    status: ClassVar[int] = 400
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
