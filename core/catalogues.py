"""Catalogues: collect what is to be translated, carry it into each language, compile, check.

One gettext domain, ``messages``. The core's catalogues are under ``translations/``, a plugin's under
``translations/`` in its folder; a plugin's holds only what the core's does not. ``translations/README.md`` says what
is collected and what is data.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast, get_args, get_origin

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from pydantic import BaseModel

from core.actor import Kind
from core.automations.suggestion import suggestions
from core.members.models import TIERS
from core.plugin import Plugin
from core.registry import Registry
from core.wording import column_label, event_about, event_label, field_label, words
from core.yamlplugin.reading import texts_of

ROOT = Path(__file__).resolve().parents[1]
LANGUAGES = ("ar", "fr", "zh")
SOURCES = ("registration", "import", "demo")  # where members come from
KEYWORDS: dict[str, Any] = {"_": None, "gettext": None, "lazy_gettext": None, "ngettext": (1, 2)}
METHODS = [("**.py", "python"), ("**/templates/**.html", "jinja2.ext:babel_extract")]
OPTIONS = {"**/templates/**.html": {"trimmed": "true", "silent": "false"}}
PLACEHOLDER = re.compile(r"%%|%\((\w+)\)[sd]|\{(\w*)\}")
HEAD = "# {owner}, {language}. Edit msgstr only; `guildhall translations update` does the rest."
# Babel's rule for Arabic swaps the last two forms; this is the one that translators' tools know.
PLURALS = {"ar": "nplurals=6; plural=(n==0 ? 0 : n==1 ? 1 : n==2 ? 2 : n%100>=3 && n%100<=10 ? 3 : n%100>=11 ? 4 : 5);"}
Id = str | tuple[str, str]


@dataclass(frozen=True)
class Owner:
    """Who keeps catalogues: the core or a plugin."""

    name: str
    folder: Path
    sources: tuple[Path, ...]

    def po(self, language: str) -> Path:
        return self.folder / language / "LC_MESSAGES" / "messages.po"


@dataclass
class Found:
    """What is to be translated: each message with the files that hold it."""

    messages: dict[Id, set[str]] = field(default_factory=dict)

    def add(self, message: Id, where: str) -> None:
        if message and message != ("", ""):
            self.messages.setdefault(message, set()).add(where)


def owners(found: list[Any]) -> list[Owner]:
    """The core, then each plugin that was found in a folder of this machine's own."""
    core = Owner("core", ROOT / "translations", (ROOT / "core",))
    plugins = [one for one in found if one.plugin and one.folder]
    return [core, *(Owner(one.name, Path(one.folder) / "translations", (Path(one.folder),)) for one in plugins)]


def extract(registry: Registry, whose: list[Owner]) -> dict[str, Found]:
    """Every message by owner. What the core has, no plugin has."""
    result: dict[str, Found] = {}
    for owner in whose:
        found = Found()
        for source in owner.sources:
            _from_source(source, found)
        plugin = registry.plugins.get(owner.name)
        if plugin:
            for text in declared(registry, plugin):
                found.add(text, "declared")
            for source in owner.sources:
                for text in texts_of(source):
                    found.add(text, "plugin.yaml")
        if owner.name == "core":
            for text in _words_of_the_core():
                found.add(text, "declared")
        else:
            known = {_single(message) for message in result["core"].messages}
            known |= {text for texts in (plugin.translations.values() if plugin else ()) for text in texts}
            found.messages = {key: where for key, where in found.messages.items() if _single(key) not in known}
        result[owner.name] = found
    return result


def _from_source(source: Path, found: Found) -> None:
    root = source.parent
    rows = extract_from_dir(source, METHODS, OPTIONS, keywords=KEYWORDS)
    for file, _line, message, _comments, _context in rows:
        where = (source / file).relative_to(root).as_posix()
        found.add(tuple(message) if isinstance(message, (tuple, list)) else message, where)  # type: ignore[arg-type]


def declared(registry: Registry, plugin: Plugin) -> Iterator[str]:
    """What a manifest says to people, and the labels that follow from names of columns, states and settings."""
    yield from (plugin.label, plugin.description)
    yield from (item.label for item in plugin.menu)
    yield from (widget.title for widget in plugin.widgets)
    yield from (permission.label for permission in plugin.permissions)
    yield from (job.label for job in plugin.jobs)
    for suggested in suggestions(plugin.automations):
        yield from (suggested.label, suggested.description)
    for bound in registry.resources.values():
        if bound.plugin != plugin.name:
            continue
        resource, columns = bound.resource, bound.resource.columns_of_model
        yield from (bound.label, bound.label_plural)
        yield from (resource.help.get(key) or columns[key].info.get("help") or "" for key in columns)
        for key in columns:
            yield column_label(resource, key)  # a hidden one stands in the audit trail
            values = getattr(columns[key].type, "enums", None) or columns[key].info.get("choices") or ()
            yield from (words(value) for value in (*values, *resource.states.get(key, ())))
    for name, event in registry.events.items():
        if name.split(".")[0] == plugin.name:
            yield event_label(name)
            yield event_about(event)
            yield from (field_label(key, about.title) for key, about in event.model_fields.items())
    for form in (plugin.settings, *(action.form for action in plugin.actions)):
        yield from _of_form(form) if form else ()


def _of_form(form: type[BaseModel]) -> Iterator[str]:
    """Labels and helps of a form's fields, and the words of their fixed lists."""
    for name, about in form.model_fields.items():
        if get_origin(about.annotation) is Literal:
            yield from (words(value) for value in get_args(about.annotation))
        yield from (field_label(name, about.title), about.description or "")


def _words_of_the_core() -> Iterator[str]:
    """Words of fixed lists, as pages show them: those of ``ui.state``, tiers, kinds of actors."""
    from jinja2 import Environment, nodes

    yield from (words(value) for value in (*TIERS, *SOURCES, *get_args(Kind)))

    source = (ROOT / "core/admin/templates/guildhall/ui.html").read_text("utf-8")
    for assignment in Environment(autoescape=True, extensions=["jinja2.ext.do"]).parse(source).find_all(nodes.Assign):
        if getattr(assignment.target, "name", "") == "TONES":
            tones: dict[str, list[str]] = cast(nodes.Expr, assignment.node).as_const()
            for known in tones.values():
                yield from (words(value) for value in known)


def _single(message: Any) -> Any:
    return message[0] if isinstance(message, (tuple, list)) else message


def catalogue(owner: Owner, language: str) -> Catalog:
    """The stored catalogue of a language; an empty one where there is none."""
    path = owner.po(language)
    if path.exists():
        with path.open("rb") as file:
            return read_po(file, locale=language)
    return Catalog(locale=language)


def update(owner: Owner, found: Found, language: str) -> Catalog:
    """Write the catalogue of ``language`` with exactly the messages found; translations are kept, none is guessed."""
    old, path = catalogue(owner, language), owner.po(language)
    fresh = Catalog(
        locale=language, fuzzy=False, header_comment=HEAD.format(owner=owner.name, language=language), charset="utf-8"
    )
    for message in sorted(found.messages, key=str):
        kept = old.get(_single(message))
        same = kept is not None and isinstance(kept.id, (tuple, list)) == isinstance(message, tuple)
        files = [(file, None) for file in sorted(found.messages[message]) if file != "declared"]
        text = kept.string if same and kept is not None else ""
        fresh.add(message, text or None, locations=files, flags=kept.flags if same and kept is not None else ())  # type: ignore[arg-type]
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as out:
        write_po(out, _stable(fresh), width=118, include_lineno=False, sort_output=True)
    return fresh


def _stable(fresh: Catalog) -> Catalog:
    """Without dates and names in the head, so that two runs write the same file."""
    language = str(fresh.locale)
    plurals = PLURALS.get(language, fresh.plural_forms)
    head = [
        ("Language", language),
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Plural-Forms", plurals),
        ("Content-Transfer-Encoding", "8bit"),
    ]
    fresh.__class__ = _Plain
    fresh._plain_headers = head  # type: ignore[attr-defined]
    return fresh


class _Plain(Catalog):
    """A catalogue whose head holds only what gettext needs."""

    @property
    def mime_headers(self) -> list[tuple[str, str]]:
        return list(self._plain_headers)  # type: ignore[attr-defined]


def languages_of(owner: Owner) -> list[str]:
    """Languages in which an owner has a catalogue."""
    return sorted(path.parent.parent.name for path in owner.folder.glob("*/LC_MESSAGES/messages.po"))


def compile_(owner: Owner, language: str) -> Path | None:
    """Write ``messages.mo`` beside the catalogue; None where there is no catalogue."""
    path = owner.po(language)
    if not path.exists():
        return None
    target = path.with_suffix(".mo")
    with target.open("wb") as out:
        write_mo(out, _stable(catalogue(owner, language)))
    return target


def problems(owner: Owner, found: Found, language: str) -> list[str]:
    """What is wrong with a catalogue: missing, empty, fuzzy, left over, placeholders that differ, an old .mo."""
    path, stored = owner.po(language), catalogue(owner, language)
    if not path.exists():
        return [f"{owner.name} {language}: there is no catalogue"] if found.messages else []
    kept = {_key(message.id): message for message in stored if message.id}
    wanted = {_key(message) for message in found.messages}
    result = [f"not in the catalogue: {key!r}" for key in sorted(wanted - kept.keys(), key=str)]
    result += [f"no longer used: {key!r}" for key in sorted(kept.keys() - wanted, key=str)]
    for message in kept.values():
        result += _wrong(message, stored.num_plurals)
    if not _compiled(path, stored):
        result.append("messages.mo is older than messages.po; run `guildhall translations compile`")
    return [f"{owner.name} {language}: {problem}" for problem in result]


def _key(message: Any) -> Id:
    return (str(message[0]), str(message[1])) if isinstance(message, (tuple, list)) else str(message)


def _wrong(message: Message, plurals: int) -> Iterator[str]:
    if message.fuzzy:
        yield f"fuzzy: {message.id!r}"
    plural = isinstance(message.id, (tuple, list))
    texts = list(message.string) if isinstance(message.string, (tuple, list)) else [message.string]
    if not all(texts) or (plural and len(texts) != plurals):
        yield f"not translated: {message.id!r}"
        return
    originals = [placeholders(str(text)) for text in (message.id if plural else [message.id])]
    for text in texts:
        used = placeholders(str(text))
        if used not in originals and not (plural and _leaves_out_the_number(used, originals[-1])):
            yield f"placeholders differ: {message.id!r} and {text!r}"


def _leaves_out_the_number(used: Counter[str], full: Counter[str]) -> bool:
    """One, two and none are words in some languages."""
    return used + Counter(["%(num)d"]) == full


def placeholders(text: str) -> Counter[str]:
    """The placeholders of a message, as often as they stand in it."""
    return Counter(found.group() for found in PLACEHOLDER.finditer(text) if found.group() != "{}")


def _compiled(path: Path, stored: Catalog) -> bool:
    from io import BytesIO

    made = BytesIO()
    write_mo(made, _stable(stored))
    target = path.with_suffix(".mo")
    return target.exists() and target.read_bytes() == made.getvalue()
