"""Find the plugins, put them in order, take each in on its own. One bad plugin never stops the platform."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from collections.abc import Iterable
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion
from sqlalchemy.orm import Session, configure_mappers

from config import Config
from core import lifecycle
from core.db.base import broken_models, forget, modules_with_models
from core.i18n import _
from core.lifecycle import State
from core.plugin import Plugin
from core.registry import DeclarationError, Registry
from core.yamlplugin.compile import manifest as yaml_manifest

GROUP = "guildhall.plugins"
MANIFESTS = ("plugin.py", "plugin.yaml")
BUNDLED = Path(__file__).resolve().parent.parent / "plugins"


@dataclass
class Found:
    """A plugin that was found, and what became of it."""

    name: str
    folder: str
    state: State = State.ENABLED
    reason: str = ""
    traceback: str = ""
    plugin: Plugin | None = None
    entry: EntryPoint | None = None
    modules: set[str] = field(default_factory=set)
    begun: bool = False

    def fail(self, state: State, reason: str, traceback: str = "") -> None:
        self.state, self.reason, self.traceback = state, reason, traceback

    @property
    def package(self) -> str:
        """The Python package that the plugin is, or lies in."""
        if self.entry:
            return self.entry.module.rpartition(".")[0] or self.entry.module
        return f"plugins.{self.name}" if Path(self.folder).parent == BUNDLED else self.name


def load(config: Config, core: Plugin, extra: Iterable[Plugin] = ()) -> tuple[Registry, list[Found]]:
    """Load the core's own manifest, then every plugin that can be. Returns the registry and what was found.

    ``extra`` are manifests given by hand (tests).
    """
    registry = Registry()
    registry.locked_settings = _locked_settings()
    registry.add(core)
    found = [] if config.safe_mode else discover(config)
    found += [Found(name=plugin.name, folder="", plugin=plugin) for plugin in extra]
    for one in found:
        _import(one, found)
    _check_models(found)
    for one in _ordered(found):
        _take_in(registry, one, found)
    for one in found:
        if one.state is not State.ENABLED:
            _forget(one, found)
    return registry, found


def discover(config: Config) -> list[Found]:
    """Plugins in ``plugins/``, in the folders of ``plugin_path``, and behind the entry-point group."""
    blocked = {name.strip() for name in config.disabled_plugins.split(",") if name.strip()}
    found: dict[str, Found] = {}
    hidden: list[Found] = []
    for parent in [BUNDLED, *(Path(part) for part in config.plugin_path.split(os.pathsep) if part)]:
        for folder in sorted(parent.iterdir()) if parent.is_dir() else ():
            if any((folder / name).is_file() for name in MANIFESTS) and folder.name not in blocked:
                one = Found(name=folder.name, folder=str(folder))
                if (first := found.setdefault(one.name, one)) is not one and first.folder != one.folder:
                    one.fail(State.FAILED_LOAD, f"the name {one.name} is taken by {first.folder}")
                    hidden.append(one)
    for entry in entry_points(group=GROUP):
        if entry.name not in blocked:
            one = Found(name=entry.name, folder="", entry=entry)
            if (first := found.setdefault(one.name, one)) is not one:
                one.fail(State.FAILED_LOAD, f"the name {one.name} is taken by {first.folder or first.package}")
                hidden.append(one)
    return [*found.values(), *hidden]


def missing_folders(config: Config) -> list[str]:
    """Folders that ``plugin_path`` names and that are not there: as written, since it is often the writing."""
    return [part for part in config.plugin_path.split(os.pathsep) if part and not Path(part).is_dir()]


def load_one(registry: Registry, folder: Path, found: list[Found]) -> Found:
    """Load the plugin of ``folder`` beside those that are loaded, for a process that tries it out and ends.

    What became of it is said by the answer's state and reason; what failed is forgotten.
    """
    one = Found(name=folder.name, folder=str(folder))
    _import(one, found)
    _check_models([one])
    if one.plugin is not None:
        _take_in(registry, one, found)
    if one.state is not State.ENABLED:
        _forget(one, [*found, one])
    return one


def _import(one: Found, found: list[Found]) -> None:
    """Import what was found, once; ``found`` are all, among them those it may refer to."""
    if one.begun or one.plugin is not None or one.state is not State.ENABLED:
        return
    one.begun = True
    before = set(sys.modules)
    try:
        plugin = _manifest(one, found)
    except (KeyboardInterrupt, MemoryError):
        raise
    except DeclarationError as problem:
        return one.fail(State.FAILED_LOAD, str(problem))
    except BaseException as problem:
        return _failed(one, problem)
    finally:
        # Python takes a module that failed out of sys.modules, but not the models it had made by then.
        brought = (set(sys.modules) | modules_with_models()) - before
        one.modules = {name for name in brought if f"{name}.".startswith(f"{one.package}.")}
    if not isinstance(plugin, Plugin):
        return one.fail(State.FAILED_LOAD, "plugin.py has no manifest: an object `plugin` of type Plugin")
    if plugin.name != one.name:
        what = "entry point" if one.entry else "folder"
        return one.fail(State.FAILED_LOAD, f"the {what} is called {one.name}, the manifest {plugin.name}")
    one.plugin = plugin


def _manifest(one: Found, found: list[Found]) -> object:
    """Load the entry point, or import ``plugin.py`` as part of its package, wherever the folder lies.

    A ``plugin.yaml`` is compiled; of an installed distribution, one beside the package that the entry point names.
    """
    plugin: object = one.entry.load() if one.entry else None
    if one.entry:
        one.folder = str(Path(str(sys.modules[one.entry.module].__file__)).parent)
    described = [name for name in MANIFESTS if (Path(one.folder) / name).is_file()]
    if one.entry and not isinstance(plugin, ModuleType):
        return plugin
    if len(described) > 1:
        raise DeclarationError("it has both plugin.py and plugin.yaml; keep the one that holds")
    if described == ["plugin.yaml"]:

        def bring(name: str) -> None:
            for other in found:
                if other.name == name:
                    _import(other, found)

        return yaml_manifest(Path(one.folder), _home(one), bring)
    return getattr(importlib.import_module(f"{_home(one).__name__}.plugin"), "plugin", None)


def _home(one: Found) -> ModuleType:
    """The Python package that the folder is. Raises DeclarationError where another of its name is found first."""
    folder = Path(one.folder)
    if one.package == one.name and str(folder.parent) not in sys.path:
        sys.path.append(str(folder.parent))
    importlib.invalidate_caches()
    home = importlib.import_module(one.package)
    place = next(iter(getattr(home, "__path__", ())), None)
    if one.entry is None and (place is None or Path(place).resolve() != folder.resolve()):
        raise DeclarationError(
            f"the name {one.package} is taken by the Python package {getattr(home, '__file__', None) or place}"
        )
    return home


def _check_models(found: list[Found]) -> None:
    """Let SQLAlchemy resolve every relation; one that cannot be would break the queries of all plugins."""
    while True:
        try:
            return configure_mappers()
        except Exception as problem:
            broken = broken_models()
            culprits = [one for one in found if one.plugin and broken & one.modules]
            if not culprits:
                raise
            for one in culprits:
                one.plugin = None
                _failed(one, problem)
                _forget(one, found)


def _forget(one: Found, found: list[Found]) -> None:
    """Leave nothing of a plugin that failed: no model, no table, no module, so that a later try starts anew."""
    forget(one.name, one.modules, [other.name for other in found])
    for name in one.modules:
        sys.modules.pop(name, None)
    one.modules = set()


def unload(one: Found, found: list[Found]) -> None:
    """Leave nothing of a plugin that was loaded to be read alone. One that was loaded before, and is in use, stays."""
    _forget(one, found)


def _ordered(found: list[Found]) -> list[Found]:
    """Dependency order, then name; members of a cycle fail and name it."""
    good = {one.name: one for one in found if one.plugin is not None}
    while True:
        graph: TopologicalSorter[str] = TopologicalSorter()
        for name in sorted(good):
            plugin = good[name].plugin
            assert plugin is not None
            graph.add(name, *(need for need in sorted(plugin.requires) if need in good))
        try:
            return [good[name] for name in graph.static_order()]
        except CycleError as problem:
            circle = problem.args[1]
            for name in set(circle):
                good[name].plugin = None
                good.pop(name).fail(State.FAILED_LOAD, f"plugins require each other: {' → '.join(circle)}")


def _take_in(registry: Registry, one: Found, found: list[Found]) -> None:
    plugin = one.plugin
    assert plugin is not None
    for need, versions in plugin.requires.items():
        if need not in registry.plugins:
            why = next((f"{need} is {other.state}: {other.reason}" for other in found if other.name == need), "")
            return one.fail(State.MISSING_DEPENDENCY, why or f"it needs the plugin {need}, which is not installed")
        try:
            fits = SpecifierSet(versions).contains(registry.plugins[need].version, prereleases=True)
        except (InvalidSpecifier, InvalidVersion) as problem:
            return one.fail(State.INCOMPATIBLE, str(problem))
        if not fits:
            has = registry.plugins[need].version
            return one.fail(State.INCOMPATIBLE, f"it needs {need} {versions}, but {has} is installed")
    try:
        registry.add(plugin)
    except DeclarationError as problem:
        one.fail(State.FAILED_LOAD, str(problem))
    except Exception as problem:
        _failed(one, problem)


def _failed(one: Found, problem: BaseException) -> None:
    reason = f"{type(problem).__name__}: {problem}".strip().rstrip(":")
    one.fail(State.FAILED_LOAD, reason, "".join(traceback.format_exception(problem)))


def _locked_settings() -> dict[str, dict[str, str]]:
    """Settings given by the environment: ``GUILDHALL_SETTING_WALLET__DAILY_LIMIT=5``. They cannot be edited."""
    locked: dict[str, dict[str, str]] = {}
    for key, value in os.environ.items():
        if key.startswith("GUILDHALL_SETTING_") and "__" in key:
            plugin, name = key.removeprefix("GUILDHALL_SETTING_").lower().split("__", 1)
            locked.setdefault(plugin, {})[name] = value
    return locked


def state_of(session: Session, one: Found) -> tuple[State, str]:
    """The state of a plugin that was found, and its reason."""
    if one.state is not State.ENABLED or one.name not in lifecycle.disabled(session):
        return one.state, one.reason
    row = session.get(lifecycle.PluginRow, one.name)
    if row is not None and row.reason:
        return State.FAILED_MIGRATION, row.reason
    if row is not None and row.enabled and row.quarantined:
        return State.QUARANTINED, row.quarantined
    return State.DISABLED, _("An admin has turned it off.")
