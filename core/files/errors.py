"""Why a file is not taken or not given."""

from __future__ import annotations

from core.errors import Conflict, Invalid, Limit, NotFound, Unavailable
from core.i18n import _


class FileTooLarge(Invalid):
    code = "FILE_TOO_LARGE"
    status = 413
    sentence = _("The file is larger than {most} MB.")


class FileEmpty(Invalid):
    code = "FILE_EMPTY"
    sentence = _("The file is empty, or did not arrive whole. Send it again.")


class FileTypeRefused(Invalid):
    code = "FILE_TYPE_REFUSED"
    status = 415
    sentence = _("A file of this kind is not taken here. Send one of: {allowed}.")


class SvgRefused(FileTypeRefused):
    code = "SVG_REFUSED"
    sentence = _(
        "An SVG can carry programs that run in the browser of whoever looks at it, so it is not taken. Save the "
        "picture as PNG and send that."
    )


class ImageBroken(Invalid):
    code = "IMAGE_BROKEN"
    sentence = _("The image cannot be read. Save it again as PNG or JPEG and send that.")


class DocumentBroken(Invalid):
    code = "DOCUMENT_BROKEN"
    sentence = _("The PDF cannot be read. Print it into a new PDF and send that.")


class DocumentLocked(Invalid):
    code = "DOCUMENT_LOCKED"
    sentence = _(
        "The PDF is protected with a password, so what it tells beside its pages cannot be taken out. Send it without."
    )


class ImageTooLarge(Invalid):
    code = "IMAGE_TOO_LARGE"
    sentence = _("The image has more than {most} million pixels in all. Make it smaller.")


class TooManyFiles(Limit):
    code = "TOO_MANY_FILES"
    sentence = _("You have sent {most} files within a day, which is the limit. Go on tomorrow.")


class FileInUse(Conflict):
    code = "FILE_IN_USE"
    sentence = _("Something refers to this file. Remove it there.")


class LinkExpired(NotFound):
    code = "LINK_EXPIRED"
    status = 410
    sentence = _("This link has expired. Open the page it was on again.")


class StorageSilent(Unavailable):
    code = "FILE_STORAGE_UNAVAILABLE"
    sentence = _("The file storage does not answer. Try again soon.")
