"""Why a file, or a row of it, is not taken."""

from __future__ import annotations

from core.errors import Conflict, Invalid, NotFound
from core.i18n import _


class FileUnreadable(Invalid):
    code = "IMPORT_UNREADABLE"
    sentence = _("This file cannot be read as a table. Save it as CSV (UTF-8) or XLSX and send that.")


class FileTooWide(FileUnreadable):
    code = "IMPORT_TOO_WIDE"
    sentence = _("The file has more than {most} columns. Delete those that are not to be imported.")


class FileTooLong(FileUnreadable):
    code = "IMPORT_TOO_LONG"
    sentence = _("The file has more than {most} rows. Divide it.")


class FileUnpacked(FileUnreadable):
    code = "IMPORT_TOO_LARGE"
    sentence = _("The workbook holds more than {most} MB when it is unpacked. Save the sheet as CSV and send that.")


class NoHeader(FileUnreadable):
    code = "IMPORT_NO_HEADER"
    sentence = _("The first row does not say what the columns are. Write their names there.")


class RecordsUnknown(NotFound):
    code = "RECORDS_UNKNOWN"
    sentence = _("Nothing called {name} can be imported. Write plugin.thing, such as suggestions.suggestion.")


class ImportFileForgotten(NotFound):
    code = "IMPORT_FILE_FORGOTTEN"
    status = 409
    sentence = _("The file of this import is no longer kept. Send it again.")


class ImportNotReady(Conflict):
    code = "IMPORT_NOT_READY"
    sentence = _("This cannot be done while the import is {state}.")


class RecordsUnavailable(Conflict):
    code = "IMPORT_PLUGIN_OFF"
    sentence = _("The plugin of these records is turned off. Turn it on, then let the import go on.")


class RowUnreadable(Invalid):
    code = "ROW_UNREADABLE"
    sentence = _("This row cannot be read.")


class RowTooLong(RowUnreadable):
    code = "ROW_TOO_LONG"
    sentence = _("This row is longer than {most} characters.")


class RowUnclosed(RowUnreadable):
    code = "ROW_UNCLOSED"
    sentence = _("A quotation mark of this row is not closed, or closed in the wrong place.")


class RowNotText(RowUnreadable):
    code = "ROW_NOT_TEXT"
    sentence = _("This row holds characters that are not UTF-8. Save the whole file as CSV UTF-8.")


class RowTooWide(RowUnreadable):
    code = "ROW_TOO_WIDE"
    sentence = _("This row has {found} cells, but there are {expected} columns.")


class RowTwice(Conflict):
    code = "ROW_TWICE"
    sentence = _("Row {line} of this file has the same key.")


class RowAmbiguous(Conflict):
    code = "ROW_AMBIGUOUS"
    sentence = _("Several records have this key.")


class RowNotFound(NotFound):
    code = "ROW_NOT_FOUND"
    sentence = _("There is no such record, or you may not change it.")


class UndoChanged(Conflict):
    code = "CHANGED_SINCE"
    sentence = _("It was changed since, so it was left as it is.")


class UndoGone(NotFound):
    code = "GONE"
    sentence = _("It is no longer there, or you may not change it.")


class UndoUnknown(Conflict):
    code = "NOT_KEPT"
    sentence = _("What it was before is not kept, so it was left as it is.")


class UndoUndeletable(Conflict):
    code = "UNDELETABLE"
    sentence = _("Records of this kind cannot be deleted.")
