"""What a plugin says about the files it takes."""

from __future__ import annotations

from dataclasses import dataclass

IMAGES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
DOCUMENTS = frozenset({"application/pdf", "text/plain", "text/csv"})
MEDIA = frozenset({"video/mp4", "video/webm", "audio/mpeg", "audio/ogg", "audio/wav"})
SPREADSHEET = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
TYPES = IMAGES | DOCUMENTS | MEDIA | {SPREADSHEET}


@dataclass(frozen=True, kw_only=True)
class Upload:
    """A purpose that members may send files for: ``POST /api/v1/core/files`` with ``<plugin>.<name>``.

    ``allowed`` are media types of ``IMAGES``, ``DOCUMENTS``, ``MEDIA`` and ``SPREADSHEET``; the content decides which
    one a file is. ``max_bytes`` is its own limit below the platform's. Refused while the plugin is disabled.
    """

    name: str
    label: str
    allowed: frozenset[str]
    max_bytes: int | None = None
    permission: str | None = None
