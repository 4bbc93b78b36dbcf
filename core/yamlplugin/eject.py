"""Turn a ``plugin.yaml`` into the Python that it stands for, to go on from there by hand."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from core.errors import Conflict
from core.i18n import _
from core.yamlplugin.python import modules
from core.yamlplugin.reading import FILE, read_plugin
from core.yamlplugin.source import Unreadable

LEFT = "plugin.yaml.ejected"


class NotEjected(Conflict):
    code = "NOT_EJECTED"
    sentence = _("{plugin} was not ejected: {reason}")


def eject(folder: Path, into: Path | None = None) -> list[Path]:
    """Write the modules of the plugin in ``folder`` beside its ``plugin.yaml``, which is kept as
    ``plugin.yaml.ejected``; or with all else that the folder holds into a new folder of its name below ``into``.

    Whole or not at all; nothing is overwritten. The plugins that it requires must be loaded. Returns the files written.
    Raises NotEjected.
    """
    name = folder.name
    if not (folder / FILE).is_file():
        raise NotEjected(plugin=name, reason=f"there is no {folder / FILE}")
    try:
        source, spec = read_plugin(folder)
        written, unknown = modules(spec)
        if unknown:
            raise Unreadable(source.file, [source.problem(*one) for one in unknown])
    except Unreadable as problem:
        raise NotEjected(plugin=name, reason=str(problem)) from None
    files = {f"{module}.py": text for module, text in written.items()}
    if into is None:
        return _beside(folder, files)
    return _anew(folder, into / name, files)


def _beside(folder: Path, files: dict[str, str]) -> list[Path]:
    if taken := [name for name in (*files, LEFT) if (folder / name).exists()]:
        raise NotEjected(plugin=folder.name, reason=f"{folder} has {', '.join(taken)} already")
    made: list[Path] = []
    try:
        for name, text in files.items():
            path = folder / name
            with path.open("x", encoding="utf-8") as out:  # fails where somebody wrote it meanwhile
                made.append(path)
                out.write(text)
        (folder / FILE).rename(folder / LEFT)
    except OSError as problem:
        for path in made:
            path.unlink(missing_ok=True)
        raise NotEjected(plugin=folder.name, reason=str(problem)) from None
    return made


def _anew(folder: Path, target: Path, files: dict[str, str]) -> list[Path]:
    if target.exists() or target.is_symlink():
        raise NotEjected(plugin=folder.name, reason=f"{target} exists already")
    if taken := [name for name in files if (folder / name).exists()]:
        raise NotEjected(plugin=folder.name, reason=f"{folder} has {', '.join(taken)} already")
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        shutil.copytree(
            folder,
            draft,
            dirs_exist_ok=True,
            ignore=shutil.ignore_patterns(FILE, "__pycache__", "*.pyc"),
            symlinks=True,
        )
        for name, text in files.items():
            (draft / name).write_text(text, "utf-8")
        draft.chmod(0o755)
        draft.rename(target)
    except OSError as problem:
        shutil.rmtree(draft, ignore_errors=True)
        raise NotEjected(plugin=folder.name, reason=str(problem)) from None
    return [target / name for name in files]
