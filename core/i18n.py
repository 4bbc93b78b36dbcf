"""Text in other languages: marking it, and the catalogues of the core and the plugins.

Text stays English until the edge shows it to a person. Pages and answers to requests translate by themselves;
``translated`` is for what leaves without a request, such as mail.
"""

from __future__ import annotations

import gettext
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

SOURCE = "en"
ROOT = Path(__file__).resolve().parents[1]


def _(text: str) -> str:
    """Mark ``text`` as translatable; pages and error answers translate it when they show it."""
    return text


class Catalogues:
    """Every catalogue of a process. The plugins' win over the core's, a later plugin's over an earlier one's."""

    def __init__(
        self, plugin_folders: Iterable[str | Path] = (), declared: Iterable[Mapping[str, Mapping[str, str]]] = ()
    ) -> None:
        """``declared`` are what manifests themselves hold, by language; they win over catalogues."""
        self._declared = [texts for texts in declared if texts]
        folders = [ROOT, *(Path(folder) for folder in plugin_folders)]
        self.folders = [folder / "translations" for folder in folders if (folder / "translations").is_dir()]
        self._loaded: dict[str, gettext.NullTranslations] = {}

    @cached_property
    def languages(self) -> tuple[str, ...]:
        """Languages with a catalogue, and English; sorted."""
        found = {path.parent.parent.name for folder in self.folders for path in folder.glob("*/LC_MESSAGES/*.mo")}
        return tuple(sorted({SOURCE, *found, *(language for texts in self._declared for language in texts)}))

    def match(self, tag: str | None) -> str | None:
        """The language for a tag such as ``fr-CA``, ``zh_Hans`` or ``zh-CN``: itself, else its shorter forms."""
        parts = (tag or "").replace("-", "_").lower().split("_")
        known = {language.lower(): language for language in self.languages}
        for length in range(len(parts), 0, -1):
            if found := known.get("_".join(parts[:length])):
                return found
        return None

    def best(self, wanted: Iterable[tuple[str, float]]) -> str:
        """The language of an Accept-Language: the first wish that can be met, by quality, else English."""
        for tag, quality in sorted(wanted, key=lambda pair: -pair[1]):
            if quality > 0 and (found := self.match(tag)):
                return found
        return SOURCE

    def of(self, language: str) -> gettext.NullTranslations:
        """The messages of a language; read once."""
        if language not in self._loaded:
            made = gettext.NullTranslations()
            for folder in self.folders:
                path = folder / language / "LC_MESSAGES" / "messages.mo"
                if path.exists():
                    with path.open("rb") as file:
                        later = gettext.GNUTranslations(file)
                    later.add_fallback(made)
                    made = later
            for texts in self._declared:
                if language in texts:
                    own = _Declared(texts[language])
                    own.add_fallback(made)
                    made = own
            self._loaded[language] = made
        return self._loaded[language]


class _Declared(gettext.NullTranslations):
    """Messages that a manifest holds."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        super().__init__()
        self._texts = texts

    def gettext(self, message: str) -> str:
        return self._texts.get(message) or super().gettext(message)


class Translator:
    """Says marked text in one language: ``say(text)``; ``language`` is the one it was found in."""

    def __init__(self, language: str, messages: gettext.NullTranslations) -> None:
        self.language = language
        self._messages = messages

    def __call__(self, text: str) -> str:
        return self._messages.gettext(text) if text else text

    def plural(self, one: str, many: str, count: int) -> str:
        """The form for ``count``; placeholders stay."""
        return self._messages.ngettext(one, many, count)


class Seeded:
    """Texts that a seed wrote, by the key of their row. One that is still as seeded is said in the reader's language;
    one that an admin edited is said as it stands."""

    def __init__(self, texts: Mapping[str, Iterable[str]]) -> None:
        self._texts = {key: frozenset(own) for key, own in texts.items()}

    def __call__(self, key: str, text: str, say: Callable[[str], str]) -> str:
        """``text`` of the row ``key``, perhaps in the language that ``say`` speaks."""
        return say(text) if text in self._texts.get(key, ()) else text


def translated(session: Session, locale: str | None) -> Translator:
    """A translator for a member's ``locale``; English for a language without a catalogue or none chosen."""
    catalogues: Catalogues = session.info["catalogues"]
    language = catalogues.match(locale) or SOURCE
    return Translator(language, catalogues.of(language))
