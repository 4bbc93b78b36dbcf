"""What can be seen in a plugin's files without running them: imports, texts that nobody could translate, its page."""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from pathlib import Path

from jinja2 import Environment, TemplateSyntaxError, nodes

from core.contract import hooks
from core.events.event import Event
from core.loader import BUNDLED, Found
from core.plugin_kit.finding import Finding
from core.registry import Registry

HIDDEN = {"core", "app", "config", "flask_appbuilder", "dramatiq"}
APART = {"tests", "migrations", "__pycache__"}
SPOKEN = {"label", "label_plural", "title", "description", "help", "hint"}
SPEAKING = {
    *("Plugin", "Resource", "Section", "Inline", "Operation", "Permission", "MenuItem", "Widget", "Job", "Report"),
    *(
        "ReportColumn",
        "Parameter",
        "ReviewKind",
        "Switch",
        "Upload",
        "Figure",
        "Panel",
        "Field",
        "Action",
        "Transition",
    ),
}
WORD = re.compile(r"[^\W\d_]{3,}")  # and not in capitals alone, as names of formats are
SILENT = {"script", "style", "code", "pre", "kbd", "svg"}
ATTRIBUTES = ("title", "aria-label", "placeholder", "alt")
POLICIES = ("Isolated", "Strict", "First result")


def files(folder: Path, pattern: str) -> Iterator[Path]:
    """Files of the plugin itself, apart from its tests and revisions."""
    for path in sorted(folder.rglob(pattern)):
        parts = path.relative_to(folder).parts
        if not APART & set(parts) and not any(part.startswith(".") for part in parts):
            yield path


def examine(one: Found, found: list[Found], registry: Registry) -> Iterator[Finding]:
    """Everything that its files tell."""
    folder = Path(one.folder)
    packages = {other.package: other.name for other in found}
    for path in files(folder, "*.py"):
        name = str(path.relative_to(folder))
        try:
            tree = ast.parse(path.read_text("utf-8"))
        except (SyntaxError, UnicodeDecodeError) as problem:
            line = getattr(problem, "lineno", 0) or 0
            yield Finding(one.name, "UNREADABLE", f"It cannot be read: {problem}.", name, line)
            continue
        requires = set(one.plugin.requires) if one.plugin else set()
        for line, code, sentence in [*_imports(tree, one, packages, requires), *_texts(tree)]:
            yield Finding(one.name, code, sentence, name, line)
    for path in files(folder, "*.html"):
        name, source = str(path.relative_to(folder)), path.read_text("utf-8")
        for line, sentence in _spoken(source):
            yield Finding(one.name, "NOT_TRANSLATABLE", sentence, name, line)
        for line in said_as_markup(source):
            what = "What _() says is markup, and this is no text of the template itself: write value|told."
            yield Finding(one.name, "SAID_AS_MARKUP", what, name, line)
    yield from _described(one, folder, registry)


Seen = Iterator[tuple[int, str, str]]


def _imports(tree: ast.AST, one: Found, packages: Mapping[str, str], requires: set[str]) -> Seen:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            wanted = [(node.module, [alias.name for alias in node.names])]
        elif isinstance(node, ast.Import):
            wanted = [(alias.name, []) for alias in node.names]
        else:
            continue
        for module, names in wanted:
            root = module.split(".")[0]
            if root in HIDDEN and root not in packages:
                what = (
                    f"It imports {module}, which may change without notice: import guildhall or guildhall.web instead."
                )
                yield node.lineno, "IMPORT_HIDDEN", what
                continue
            if module == "plugins":
                module, names = f"plugins.{names[0]}", []
            package = max((p for p in packages if f"{module}.".startswith(f"{p}.")), key=len, default="")
            owner = packages.get(package, "")
            if not owner or owner == one.name:
                continue
            if owner not in requires:
                what = f"It imports {module} of the plugin {owner}: name {owner} in requires."
                yield node.lineno, "IMPORT_UNDECLARED", what
                continue
            handed = set(getattr(sys.modules.get(package), "__all__", ()))
            if module != package or set(names) - handed:
                inner = ", ".join(sorted(set(names) - handed)) if module == package else module
                what = f"{inner} is inside of {owner}: import only what {package} hands on by its __all__."
                yield node.lineno, "IMPORT_INSIDE", what


def _texts(tree: ast.AST) -> Seen:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            given: list[ast.expr] = []
            if called in SPEAKING:
                given = [word.value for word in node.keywords if word.arg in SPOKEN]
                tables = [word.value for word in node.keywords if word.arg in ("labels", "help")]
                given += [value for table in tables if isinstance(table, ast.Dict) for value in table.values]
            if called == "Permission":
                given += node.args[1:2]
            if called == "flash":
                given += node.args[:1]
            yield from (_bare(value) for value in given if _is_bare(value))
        elif isinstance(node, ast.ClassDef):
            for statement in node.body:
                targets = statement.targets if isinstance(statement, ast.Assign) else ()
                if any(getattr(target, "id", "") == "sentence" for target in targets):
                    assert isinstance(statement, ast.Assign)
                    if _is_bare(statement.value):
                        yield _bare(statement.value)


def _is_bare(value: ast.expr) -> bool:
    """Whether a text that people read stands there without a mark."""
    parts = value.values if isinstance(value, ast.JoinedStr) else [value]
    said = [part.value for part in parts if isinstance(part, ast.Constant)]
    return any(isinstance(text, str) and _has_words(text) for text in said)


def _has_words(text: str) -> bool:
    return any(not word.isupper() for word in WORD.findall(text))


def _bare(value: ast.expr) -> tuple[int, str, str]:
    shown = ast.unparse(value)
    what = f"{shown} cannot be translated: write _({shown})."
    if isinstance(value, ast.JoinedStr):
        what = f"{shown} cannot be translated: mark a whole sentence by _() and give what it is filled with apart."
    return value.lineno, "NOT_TRANSLATABLE", what


class _Reader(HTMLParser):
    """Texts of a template that people see or hear, with their lines."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[tuple[int, str]] = []
        self._silent: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in SILENT:
            self._silent.append(tag)
        self.texts += [(self.getpos()[0], value) for name, value in attrs if name in ATTRIBUTES and value]

    def handle_endtag(self, tag: str) -> None:
        if self._silent and self._silent[-1] == tag:
            self._silent.pop()

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.texts += [(self.getpos()[0], line) for line in data.splitlines()]


def _spoken(source: str) -> Iterator[tuple[int, str]]:
    """What a template says outside of ``_()`` and ``{% trans %}``."""
    try:
        tokens = list(Environment(autoescape=True, extensions=["jinja2.ext.i18n"]).lex(source))
    except TemplateSyntaxError as problem:
        yield problem.lineno, f"It cannot be read: {problem.message}."
        return
    kept, translated = "", False
    for _line, kind, value in tokens:
        if kind == "data":
            kept += "\n" * value.count("\n") if translated else value
            continue
        kept += "\n" * value.count("\n")
        if kind == "name" and value in ("trans", "endtrans"):
            translated = value == "trans"
    reader = _Reader()
    reader.feed(kept)
    for line, text in reader.texts:
        if _has_words(text):
            shown = " ".join(text.split())
            yield line, f'“{shown}” cannot be translated: write {{{{ _("{shown}") }}}}.'


def said_as_markup(source: str) -> list[int]:
    """The lines of a template on which ``_()`` is given something else than a text; none where it cannot be read."""
    try:
        tree = Environment(autoescape=True, extensions=["jinja2.ext.i18n", "jinja2.ext.do"]).parse(source)
    except TemplateSyntaxError:
        return []
    return [
        call.lineno
        for call in tree.find_all(nodes.Call)
        if isinstance(call.node, nodes.Name)
        and call.node.name in ("_", "gettext", "ngettext")
        and not (call.args and isinstance(call.args[0], nodes.Const))
    ]


def _described(one: Found, folder: Path, registry: Registry) -> Iterator[Finding]:
    """Whether people can read what it is, and integrators what it promises."""
    if folder.parent != BUNDLED and not any((folder / name).is_file() for name in ("README.md", "docs/README.md")):
        what = "There is no page for people: write README.md, which says what it does and how it is used."
        yield Finding(one.name, "DOCS_MISSING", what, "README.md")
    plugin = registry.plugins.get(one.name)
    if plugin is None:
        return
    for event in plugin.events:
        if not event.__doc__ or event.__doc__ == Event.__doc__:
            what = f"The event {event.event_name} has no docstring: say what happened, and when it is not published."
            yield Finding(one.name, "NOT_DESCRIBED", what, _file_of(event, folder), _line_of(event))
    settings = plugin.settings
    for name, field in settings.model_fields.items() if settings else ():
        if settings and not field.description:
            what = f"The setting {name} has no description: Field({field.get_default()!r}, description=_(…))."
            yield Finding(one.name, "NOT_DESCRIBED", what, _file_of(settings, folder), _line_of(settings))
    for name, hook in hooks(registry).items():
        if hook["plugin"] == one.name and not any(f"*{policy}" in hook["text"] for policy in POLICIES):
            what = f"The hook {name} does not say its policy: write *Isolated.*, *Strict.* or *First result.*"
            yield Finding(one.name, "NOT_DESCRIBED", what, _file_of(plugin.hookspecs, folder))


def _file_of(thing: object, folder: Path) -> str:
    try:
        path = Path(inspect.getfile(thing))  # type: ignore[arg-type]
    except (TypeError, OSError):
        return "plugin.py"
    return str(path.relative_to(folder)) if path.is_relative_to(folder) else path.name


def _line_of(thing: type) -> int:
    try:
        return inspect.getsourcelines(thing)[1]
    except (TypeError, OSError):
        return 0
