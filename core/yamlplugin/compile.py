"""A folder with a ``plugin.yaml`` as the manifest that Python plugins declare: same models, same objects, one engine.

The modules that ``python`` writes are run as if they were files of the plugin's package, so that ``actions.py`` says
``from .models import …`` and goes on doing so when the plugin was ejected.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.abc import ExecutionLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

from core.yamlplugin.python import modules
from core.yamlplugin.reading import FILE, read_plugin
from core.yamlplugin.source import Unreadable


class _Written(ExecutionLoader):
    """Loads a module whose text was made from ``plugin.yaml``; tracebacks show that text."""

    def __init__(self, origin: str, text: str) -> None:
        self._origin = origin
        self._text = text

    def get_filename(self, fullname: str) -> str:
        return self._origin

    def get_source(self, fullname: str) -> str:
        return self._text

    def create_module(self, spec: object) -> ModuleType | None:
        return None


def manifest(folder: Path, home: ModuleType, bring: Callable[[str], object]) -> object:
    """The ``plugin`` of the ``plugin.yaml`` in ``folder``, whose Python package is ``home``; made once in a process.

    ``bring(name)`` imports a required plugin whose resources it refers to. Raises Unreadable with every problem, and
    whatever ``actions.py`` raises when it is imported.
    """
    package = home.__name__
    if (made := sys.modules.get(f"{package}.plugin")) is not None:
        return getattr(made, "plugin", None)
    source, spec = read_plugin(folder)
    for need in spec.requires:
        bring(need)
    written, unknown = modules(spec)
    if unknown:
        raise Unreadable(source.file, [source.problem(*one) for one in unknown])
    module: ModuleType | None = None
    for name, text in written.items():
        loader = _Written(f"{folder / FILE}#{name}", text)
        about = spec_from_loader(f"{package}.{name}", loader)
        assert about is not None
        module = module_from_spec(about)
        sys.modules[about.name] = module
        setattr(home, name, module)
        loader.exec_module(module)
    return getattr(module, "plugin", None)
