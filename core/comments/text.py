"""A comment's plain text as safe HTML: links to the web can be followed, mentions stand out, all else is text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from uuid import UUID

from markupsafe import Markup, escape

from core.comments.service import MENTION

LINK = re.compile(r"https?://[^\s<>\"'`]{3,2000}", re.IGNORECASE)
TRAILING = ".,;:!?)]}»”’"
PART = re.compile(f"{MENTION.pattern}|({LINK.pattern})", re.IGNORECASE)


def as_html(text: str, names: Mapping[UUID, str]) -> Markup:
    """The text as HTML; ``names`` are those of the mentioned."""
    made, last = Markup(""), 0
    for found in PART.finditer(text):
        made += escape(text[last : found.start()])
        if found[1]:
            made += Markup('<span class="gh-mention">@{}</span>').format(names.get(UUID(found[1]), "…"))
            last = found.end()
            continue
        address = found[2].rstrip(TRAILING)
        made += Markup('<a href="{0}" rel="noopener noreferrer nofollow" target="_blank">{0}</a>').format(address)
        last = found.start() + len(address)
    return made + escape(text[last:])


def as_typed(text: str, names: Mapping[UUID, str]) -> str:
    """The text as its author typed it, for the form that changes it."""
    return MENTION.sub(lambda found: f"@{names.get(UUID(found[1]), '…')}", text)
