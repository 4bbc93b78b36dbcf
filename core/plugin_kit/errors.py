"""What the kit refuses, and what to do instead."""

from __future__ import annotations

from core.errors import Conflict, Invalid, NotFound
from core.i18n import _


class NameRefused(Invalid):
    code = "PLUGIN_NAME_REFUSED"
    sentence = _("{name} cannot be the name of a plugin: {reason}")


class FolderTaken(Conflict):
    code = "FOLDER_TAKEN"
    sentence = _("{folder} is there already. Choose another name, or another folder by --into.")


class NoPluginHere(NotFound):
    code = "NO_PLUGIN_HERE"
    sentence = _("{name} is neither a plugin that was found nor a folder with a plugin.py or a plugin.yaml.")


class NotPackable(Conflict):
    code = "NOT_PACKABLE"
    sentence = _("{name} cannot be packaged: {reason}")


class CauseUnknown(NotFound):
    code = "CAUSE_UNKNOWN"
    sentence = _("No event and no chain of causes has the id {id}.")
