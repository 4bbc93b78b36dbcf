"""What can be wrong with a key or a sealed value. None of these sentences holds any of it."""

from __future__ import annotations

from sqlalchemy.exc import DontWrapMixin

from core.errors import Unavailable
from core.i18n import _


class KeyMissing(Unavailable, DontWrapMixin):
    """A key is not among those given at the start, or is another than its name says."""

    code = "ENCRYPTION_KEY_MISSING"
    sentence = _("The encryption key {key} is not here. Add it to GUILDHALL_ENCRYPTION_KEYS and start again.")


class KeyWrong(Unavailable, DontWrapMixin):
    code = "ENCRYPTION_KEY_WRONG"
    sentence = _(
        "The encryption key called {key} is not the one that was used before. Put the right one into "
        "GUILDHALL_ENCRYPTION_KEYS."
    )


class KeyServiceSilent(Unavailable, DontWrapMixin):
    code = "KEY_SERVICE_UNAVAILABLE"
    sentence = _("The key service {service} cannot be used: {reason}")


class SealBroken(Unavailable, DontWrapMixin):
    """The value was changed, cut, or moved here from another context or record."""

    code = "SEAL_BROKEN"
    sentence = _("A sealed value of {context} was changed or moved here from elsewhere; it cannot be opened.")
