"""What a file is, told by its content alone, and a name that fits it."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

import puremagic

from core.files.upload import SPREADSHEET, TYPES

HEAD_BYTES = 8192
EXTENSIONS = {
    "image/png": (".png",),
    "image/jpeg": (".jpg", ".jpeg"),
    "image/gif": (".gif",),
    "image/webp": (".webp",),
    "application/pdf": (".pdf",),
    "text/plain": (".txt", ".md", ".log"),
    "text/csv": (".csv",),
    SPREADSHEET: (".xlsx",),
    "video/mp4": (".mp4", ".m4v"),
    "video/webm": (".webm",),
    "audio/mpeg": (".mp3",),
    "audio/ogg": (".ogg", ".oga", ".opus"),
    "audio/wav": (".wav",),
}
SAME = {"application/ogg": "audio/ogg", "audio/wave": "audio/wav", "audio/x-wav": "audio/wav"}
# Beginnings that puremagic would take for granted anywhere in the head; a polyglot hides behind a later one.
STARTS = {"application/pdf": b"%PDF-", "audio/wav": b"RIFF", "image/webp": b"RIFF", "video/webm": b"\x1aE\xdf\xa3"}
MARKUP = re.compile(rb"<\s*(!doctype|html|head|body|script|svg|iframe|\?xml|\?php|!--)", re.IGNORECASE)
SVG = re.compile(rb"<\s*svg[\s/>]", re.IGNORECASE)
PACKED = b"PK\x03\x04"
CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1f\x7f]")
LONGEST_NAME = 120


def media_type(head: bytes, name: str) -> str | None:
    """The media type of a file that begins with ``head``, one of ``TYPES``; None when it is none of them.

    The name decides only between plain text and CSV, which no content tells apart, and whether what is packed is said
    to be a workbook: who takes one reads it.
    """
    if head.startswith(PACKED):
        return SPREADSHEET if name.lower().endswith(".xlsx") else None
    found = _by_magic(head)
    if found is None:
        return _as_text(head, name)
    return found if found in TYPES and head.startswith(STARTS.get(found, b"")) else None


def _by_magic(head: bytes) -> str | None:
    try:
        guesses: list[Any] = puremagic.magic_string(head)
    except (puremagic.PureError, ValueError):
        return None
    for guess in guesses:
        if mime := SAME.get(guess.mime_type, guess.mime_type):
            return str(mime) if mime not in ("text/plain", "text/csv") else None
    return None if _is_text(head) else "application/octet-stream"


def _as_text(head: bytes, name: str) -> str | None:
    if not _is_text(head):
        return None
    return "text/csv" if name.lower().endswith(".csv") else "text/plain"


def _is_text(head: bytes) -> bool:
    """Whether it is UTF-8 without control characters, and nothing that a browser would take for a page."""
    try:
        head.decode()
    except UnicodeDecodeError as problem:
        if problem.start < len(head) - 3:  # the last character may be cut
            return False
    return not CONTROL.search(head) and not MARKUP.search(head)


def is_svg(head: bytes) -> bool:
    """Whether a file that begins so draws itself by markup."""
    return SVG.search(head) is not None


def clean_name(name: str, media_type: str) -> str:
    """``name`` without path, control and direction characters, and with an extension of its media type."""
    name = unicodedata.normalize("NFC", name.encode("utf-8", "ignore").decode()).replace("\\", "/").rpartition("/")[2]
    name = "".join(one for one in name if unicodedata.category(one)[0] not in "C" and one not in '<>:"|?*')
    name = re.sub(r"\s+", " ", name).lstrip().rstrip(" .")
    stem, dot, extension = name.rpartition(".")
    allowed = EXTENSIONS[media_type]
    if dot and f".{extension.lower()}" in allowed:
        return (stem.strip(" .") or "file")[:LONGEST_NAME] + f".{extension.lower()}"
    return (name.strip(" .") or "file")[:LONGEST_NAME] + allowed[0]
