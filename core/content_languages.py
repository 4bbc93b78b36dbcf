"""Texts of records in several languages: one JSON column holds them by language, the column itself what others read."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from flask_babel import get_locale

from core.errors import Invalid
from core.i18n import _

TRANSLATIONS = "translations"
LONGEST = 20_000


def check(columns: Mapping[str, Any], translated: Sequence[str], languages: Collection[str], given: Any) -> Any:
    """``given`` as it is kept: ``{language: {column: text}}`` without empty texts. Raises Invalid."""
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise Invalid({TRANSLATIONS: [_('Give texts by language: {"fr": {"title": "…"}}.')]})
    if set(given) - set(languages):
        raise Invalid({TRANSLATIONS: [_("There is a language in it that this installation does not have.")]})
    return {language: kept for language, texts in given.items() if (kept := _texts(columns, translated, texts))}


def _texts(columns: Mapping[str, Any], translated: Sequence[str], texts: Any) -> dict[str, str]:
    if not isinstance(texts, Mapping) or set(texts) - set(translated):
        raise Invalid({TRANSLATIONS: [_("There is a field in it that has no translations.")]})
    for column, text in texts.items():
        if text is not None and (not isinstance(text, str) or "\x00" in text):
            raise Invalid({TRANSLATIONS: [_("A translation is a text.")]})
        if text and len(text) > (getattr(columns[column].type, "length", None) or LONGEST):
            raise Invalid({TRANSLATIONS: [_("A translation is longer than its field may be.")]})
    return {column: text for column, text in texts.items() if text and text.strip()}


def reader_language() -> str:
    """The language of who asks; empty where nobody does."""
    return str(get_locale() or "")


def text_for_reader(record: Any, column: str, language: str = "") -> Any:
    """What a record holds in ``column`` in the reader's language, else in a shorter form of it, else in the column."""
    kept = getattr(record, TRANSLATIONS, None) or {}
    parts = (language or reader_language()).split("_")
    for length in range(len(parts), 0, -1):
        if text := kept.get("_".join(parts[:length]), {}).get(column):
            return text
    return getattr(record, column)
