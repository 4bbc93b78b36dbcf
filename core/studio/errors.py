"""Why Studio refuses."""

from __future__ import annotations

from core.errors import Conflict, Forbidden, Invalid, Unavailable
from core.i18n import _


class DraftChanged(Conflict):
    code = "STUDIO_DRAFT_CHANGED"
    sentence = _("Somebody else changed this design meanwhile. Load the page again; copy what you typed first.")


class TooManyDrafts(Conflict):
    code = "STUDIO_TOO_MANY_DRAFTS"
    sentence = _("There are {most} designs already. Delete one that nobody needs.")


class DesignTooLarge(Invalid):
    code = "STUDIO_TOO_LARGE"
    sentence = _("A design may have at most {most} bytes.")


class DesignUnusable(Invalid):
    """The design cannot be compiled; ``details`` has each problem."""

    code = "STUDIO_DESIGN_UNUSABLE"
    sentence = _("The design has mistakes. Mend them first.")


class NotShown(Invalid):
    """The form cannot be carried over into the text."""

    code = "STUDIO_NOT_CARRIED_OVER"
    sentence = _("{problem}")


class FolderUnwritable(Unavailable):
    code = "STUDIO_FOLDER_UNWRITABLE"
    sentence = _("The folder {folder} cannot be written: {problem}. Ask the operator.")


class BenchFailed(Unavailable):
    code = "STUDIO_BENCH_FAILED"
    sentence = _("The design could not be tried out: {problem}")


class StudioOff(Forbidden):
    code = "STUDIO_OFF"
    sentence = _("Writing plugins is off here. The operator can allow it with GUILDHALL_STUDIO=1.")


class NoPluginFolder(Conflict):
    code = "STUDIO_NO_FOLDER"
    sentence = _("There is no folder for plugins. The operator names one with GUILDHALL_PLUGIN_PATH.")


class NameTaken(Conflict):
    code = "STUDIO_NAME_TAKEN"
    sentence = _("The name {name} is taken: {by}. Choose another one.")


class NotYours(Conflict):
    """The plugin lies elsewhere than where Studio writes, or is no plugin.yaml."""

    code = "STUDIO_NOT_YOURS"
    sentence = _("The plugin {name} does not lie in {folder}, so it cannot be written from here. Download it instead.")


class PlanChanged(Conflict):
    code = "STUDIO_PLAN_CHANGED"
    sentence = _("What would be done is not what you were shown. Read it again.")


class FolderChanged(Conflict):
    code = "STUDIO_FOLDER_CHANGED"
    sentence = _("The file {file} was changed by somebody else since the design was opened. Open the plugin anew.")


class Busy(Conflict):
    code = "STUDIO_BUSY"
    sentence = _("Somebody writes a plugin at this moment. Try again when it is done.")


class Unfinished(Conflict):
    code = "STUDIO_UNFINISHED"
    sentence = _("Writing {name} stopped half way. Finish it or take it back first.")


class NotMigrated(Conflict):
    """Nothing of it is left; ``reason`` is the database's own."""

    code = "STUDIO_NOT_MIGRATED"
    sentence = _("The migration failed, and all of it was taken back: {reason}")


class Waiting(Conflict):
    code = "STUDIO_REVISION_WAITS"
    sentence = _("A revision of {name} waits to be applied. Start Guildhall again or run `guildhall db upgrade` first.")


class Gone(Conflict):
    code = "STUDIO_REVISION_GONE"
    sentence = _(
        "The database has the revision {revision}, whose plugin was taken away. Start Guildhall again, which sets it "
        "aside."
    )


class LossNotAccepted(Conflict):
    code = "STUDIO_LOSS_NOT_ACCEPTED"
    sentence = _("This deletes what is kept in {names}. Type each name to say that you know.")
