"""``guildhall plugin new``: a plugin that passes ``guildhall plugin check`` as it is written."""

from __future__ import annotations

import importlib.util
import keyword
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Collection
from pathlib import Path
from string import Template

from core.plugin_kit.errors import FolderTaken, NameRefused

SIZES = ("yaml", "mini", "full")
SCAFFOLDS = Path(__file__).parent / "scaffolds"
SUFFIX = ".tmpl"
SLUG = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
LONGEST = 40
# Names of packages that Guildhall itself is made of, and prefixes of its tables.
RESERVED = {"core", "guildhall", "plugins", "app", "config", "migrations", "translations", "tests", "ab", "admin"}


def new(name: str, size: str, into: Path, taken: Collection[str] = ()) -> Path:
    """Write the plugin ``name`` into a new folder of its name below ``into``, all of it or nothing; returns the folder.

    ``taken`` are names of plugins that there are. Raises NameRefused, FolderTaken.
    """
    if reason := refusal(name, taken):
        raise NameRefused(name=name, reason=reason)
    target = into / name
    if target.exists() or target.is_symlink():
        raise FolderTaken(folder=str(target))
    into.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=into))
    try:
        _render(SCAFFOLDS / size, draft, name)
        draft.chmod(0o755)
        os.rename(draft, target)  # fails where somebody made it meanwhile with something in it
    except BaseException as problem:
        shutil.rmtree(draft, ignore_errors=True)
        if isinstance(problem, OSError) and target.exists():
            raise FolderTaken(folder=str(target)) from None
        raise
    return target


def refusal(name: str, taken: Collection[str] = (), *, importable: bool = False) -> str:
    """Why ``name`` cannot be a plugin's, as a sentence; empty when it can.

    ``importable`` is for a plugin that is there: that Python knows a package of its name is no reason then.
    """
    if not SLUG.fullmatch(name):
        return "use small letters, digits and single underscores, beginning with a letter, such as book_club."
    if len(name) > LONGEST:
        return f"it has {len(name)} characters; {LONGEST} is the most, as tables and permissions begin with it."
    if name in RESERVED or keyword.iskeyword(name):
        return "that word is reserved."
    if name in taken:
        return "a plugin of that name is there already; see guildhall plugin list."
    if name in sys.stdlib_module_names or (not importable and importlib.util.find_spec(name) is not None):
        return "a Python package is called so, and would be hidden or hide it."
    return ""


def _render(source: Path, target: Path, name: str) -> None:
    """Copy the scaffold, filled in; ``NAME`` in a file's name is the plugin's, ``dot-`` a leading dot."""
    values = {
        "name": name,
        "path": name.replace("_", "-"),
        "label": name.replace("_", " ").capitalize(),
        "title": name.title().replace("_", ""),
        "upper": name.upper(),
    }
    for path in sorted(source.rglob(f"*{SUFFIX}")):
        parts = [part.replace("NAME", name) for part in path.relative_to(source).parts]
        parts = [f".{part.removeprefix('dot-')}" if part.startswith("dot-") else part for part in parts]
        made = target.joinpath(*parts).with_suffix("")
        made.parent.mkdir(parents=True, exist_ok=True)
        made.write_text(Template(path.read_text("utf-8")).substitute(values), "utf-8")


__all__ = ["SIZES", "new", "refusal"]
