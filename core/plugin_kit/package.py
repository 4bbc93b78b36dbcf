"""``guildhall plugin package``: a wheel of a plugin's folder, the same to the byte however often it is made.

The format is that of the binary distribution format 1.0 and the core metadata 2.1 of packaging.python.org.
"""

from __future__ import annotations

import base64
import hashlib
import io
import os
import re
import tomllib
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from config import Config
from core.lifecycle import State
from core.loader import BUNDLED, MANIFESTS, discover, load, unload
from core.manifest import core
from core.plugin import Plugin
from core.plugin_kit.errors import NoPluginHere, NotPackable

GROUP = "guildhall.plugins"
APART = {"tests", "__pycache__", "dist", "build", "var", "node_modules"}
LEFT_OUT = {"pyproject.toml", "setup.py", "setup.cfg", "conftest.py", "tox.ini"}
TIME = (1980, 1, 1, 0, 0, 0)  # the earliest that a ZIP file can say
MOST_BYTES = 50_000_000


def package(config: Config, folder: Path, into: Path) -> Path:
    """Write the wheel of the plugin in ``folder`` into the folder ``into``; returns its path.

    Its migrations, templates, translations (compiled here), static files and page go with it; tests and hidden files do
    not. ``pyproject.toml``, where there is one, names the distribution and what it needs. Raises NoPluginHere,
    NotPackable.
    """
    folder = folder.resolve()
    if not any((folder / file).is_file() for file in MANIFESTS):
        raise NoPluginHere(name=folder)
    plugin = _loaded(config, folder)
    about = _about(plugin, folder)
    name, version = _normal(about["name"]), plugin.version
    files = dict(_files(plugin.name, folder))
    info = f"{name}-{version}.dist-info"
    files[f"{info}/METADATA"] = _metadata(about, plugin, folder).encode()
    files[f"{info}/WHEEL"] = b"Wheel-Version: 1.0\nGenerator: guildhall\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    files[f"{info}/entry_points.txt"] = f"[{GROUP}]\n{plugin.name} = {_entry(plugin.name, folder)}\n".encode()
    listed = [f"{path},sha256={_digest(content)},{len(content)}" for path, content in sorted(files.items())]
    files[f"{info}/RECORD"] = "\n".join([*listed, f"{info}/RECORD,,", ""]).encode()
    into.mkdir(parents=True, exist_ok=True)
    target = into / f"{name}-{version}-py3-none-any.whl"
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    draft.write_bytes(_zipped(files))
    draft.replace(target)
    return target


def _loaded(config: Config, folder: Path) -> Plugin:
    """The manifest, as Guildhall loads it."""
    path = [part for part in config.plugin_path.split(os.pathsep) if part]
    boot = config.model_copy(update={"plugin_path": os.pathsep.join([*path, str(folder.parent)]), "safe_mode": False})
    if all(Path(one.folder).resolve() != folder for one in discover(boot) if one.folder):
        raise NotPackable(name=folder.name, reason="it is among the plugins that are disabled by the settings.")
    _registry, found = load(boot, core)
    one = next(one for one in found if one.folder and Path(one.folder).resolve() == folder)
    for other in found:
        unload(other, found)
    if one.plugin is None or one.state is not State.ENABLED:
        raise NotPackable(name=folder.name, reason=f"it is {one.state}: {one.reason}")
    return one.plugin


def _about(plugin: Plugin, folder: Path) -> dict[str, Any]:
    """What ``pyproject.toml`` says of the distribution, else what follows from the manifest."""
    said: dict[str, Any] = {}
    if (path := folder / "pyproject.toml").is_file():
        try:
            said = tomllib.loads(path.read_text("utf-8")).get("project", {})
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
            raise NotPackable(name=plugin.name, reason=f"pyproject.toml cannot be read: {problem}") from None
    if (version := said.get("version", plugin.version)) != plugin.version:
        reason = f"pyproject.toml says version {version}, the manifest {plugin.version}: make them one."
        raise NotPackable(name=plugin.name, reason=reason)
    needs = [f"guildhall>={core.version}"]
    bundled = {path.name for path in BUNDLED.iterdir()}
    needs += [
        f"guildhall-{need.replace('_', '-')}{versions}"
        for need, versions in sorted(plugin.requires.items())
        if need not in bundled and need != "core"
    ]
    default = {
        "name": f"guildhall-{plugin.path}",
        "description": " ".join(plugin.description.split()),
        "requires-python": ">=3.11,<3.13",
        "dependencies": needs,
    }
    return {**default, **said}


def _metadata(about: Mapping[str, Any], plugin: Plugin, folder: Path) -> str:
    lines = ["Metadata-Version: 2.1", f"Name: {about['name']}", f"Version: {plugin.version}"]
    lines += [f"Summary: {about['description']}"] if about.get("description") else []
    lines += [f"License: {about['license']}"] if isinstance(about.get("license"), str) else []
    lines += [f"Requires-Python: {about['requires-python']}"]
    lines += [f"Requires-Dist: {one}" for one in about["dependencies"]]
    page = folder / "README.md"
    if page.is_file():
        lines += ["Description-Content-Type: text/markdown", "", page.read_text("utf-8").rstrip()]
    return "\n".join([*lines, ""])


def _entry(name: str, folder: Path) -> str:
    """What the entry point names: the manifest, or the package whose ``plugin.yaml`` is it."""
    return f"{name}.plugin:plugin" if (folder / "plugin.py").is_file() else name


def _files(name: str, folder: Path) -> Iterator[tuple[str, bytes]]:
    """Every file that belongs to the plugin, by its path in the wheel. Raises NotPackable."""
    taken = 0
    for path in sorted(folder.rglob("*")):
        inner = path.relative_to(folder)
        hidden = any(part.startswith(".") for part in inner.parts)
        if hidden or APART & set(inner.parts) or inner.name in LEFT_OUT or path.suffix in (".pyc", ".mo", ".whl"):
            continue
        if path.is_symlink():
            raise NotPackable(name=name, reason=f"{inner} is a link; put the file itself there.")
        if not path.is_file():
            continue
        content = path.read_bytes()
        taken += len(content)
        if taken > MOST_BYTES:
            raise NotPackable(name=name, reason=f"it is larger than {MOST_BYTES // 1_000_000} megabytes.")
        yield f"{name}/{inner.as_posix()}", content
        if path.suffix == ".po":
            yield f"{name}/{inner.with_suffix('.mo').as_posix()}", _compiled(content)
    if not (folder / "__init__.py").is_file():
        yield f"{name}/__init__.py", b""


def _compiled(catalogue: bytes) -> bytes:
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    made = io.BytesIO()
    write_mo(made, read_po(io.BytesIO(catalogue)))
    return made.getvalue()


def _zipped(files: Mapping[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path, content in sorted(files.items(), key=lambda pair: (".dist-info/" in pair[0], pair[0])):
            entry = zipfile.ZipInfo(path, TIME)
            entry.external_attr = 0o100644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
    return made.getvalue()


def _digest(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


def _normal(name: str) -> str:
    """A distribution's name as file names have it (PEP 503, PEP 427)."""
    return re.sub(r"[-_.]+", "_", name).lower()
