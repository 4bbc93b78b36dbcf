"""PDF documents are written anew, so that what came with them (author, programs, scripts, enclosures) stays behind."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from core.files.errors import DocumentBroken, DocumentLocked

MOST_OBJECTS = 100_000
# Of any object: what describes it, who made it, what runs, what is enclosed. ISO 32000-1, 7.7, 12.6, 14.3 and 14.5.
TELLING = (
    "/Metadata",
    "/PieceInfo",
    "/LastModified",
    "/Thumb",
    "/AA",
    "/OpenAction",
    "/EmbeddedFiles",
    "/JavaScript",
    "/AF",
)
# Of a remark on a page: who made it, and when. ISO 32000-1, 12.5.
OF_ANNOTATION = ("/T", "/M", "/CreationDate", "/NM")
ENCLOSING = ("/FileAttachment", "/Movie", "/Sound", "/Screen", "/RichMedia")
ACTIVE = ("/JavaScript", "/Launch", "/SubmitForm", "/ImportData")


def rewrite(source: Path, target: Path) -> None:
    """Write the pages of ``source`` to ``target``, and nothing that no page shows. A signature does not survive it.

    Earlier states, which a PDF may carry along, are left behind too. Raises DocumentLocked for one with a password,
    DocumentBroken for what is no whole PDF.
    """
    from pypdf import PdfReader, PdfWriter  # it takes a quarter of a second, and few processes see a PDF

    try:
        with open(source, "rb") as file:
            reader = PdfReader(file, strict=False)
            if reader.is_encrypted:
                raise DocumentLocked()
            if not len(reader.pages):
                raise DocumentBroken()
            writer = PdfWriter(clone_from=reader)
            writer.metadata = None
            if len(writer._objects) > MOST_OBJECTS:
                raise DocumentBroken()
            for item in writer._objects:
                _clean(item)
            clean = io.BytesIO()
            writer.write(clean)
            # Cloned again, for what nothing refers to any more is not followed.
            PdfWriter(clone_from=PdfReader(clean)).write(target)
    except (DocumentLocked, DocumentBroken):
        raise
    except Exception:  # a parser that is fed by strangers raises anything
        raise DocumentBroken() from None


def _clean(item: Any) -> None:
    if isinstance(item, list):
        for part in item:
            _clean(part) if isinstance(part, (dict, list)) else None
    if not isinstance(item, dict):
        return
    telling = TELLING + (OF_ANNOTATION if item.get("/Subtype") and "/Rect" in item else ())
    for name in telling:
        item.pop(name, None)
    if item.get("/S") in ACTIVE:
        item.clear()
    if item.get("/Subtype") in ENCLOSING:
        item.pop("/FS", None)
    for part in list(item.values()):
        if isinstance(part, (dict, list)):
            _clean(part)
