"""What can be wrong with a webhook."""

from __future__ import annotations

from core.errors import Conflict, Invalid
from core.i18n import _


class BadAddress(Invalid):
    code = "BAD_WEBHOOK_ADDRESS"
    sentence = _("Give a complete https:// address without a name, a password or a #part.")


class AddressRefused(Invalid):
    code = "WEBHOOK_ADDRESS_REFUSED"
    sentence = _("{host} is not an address on the public internet. Private networks are refused.")


class UnknownEvents(Invalid):
    code = "UNKNOWN_EVENTS"
    sentence = _("Choose at least one event; no event is called {names}.")


class WebhookSilent(Conflict):
    code = "WEBHOOK_OFF"
    sentence = _("This webhook is turned off. Turn it on first.")
