"""What Studio does with a design: open, look, preview, plan, package. Writing it is in ``writing``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import NotFound
from core.platform import Platform
from core.studio import design, package
from core.studio.bench import Bench
from core.studio.drafts import Draft, Drafts, digest, told
from core.studio.errors import BenchFailed, DesignUnusable, Gone, NameTaken, Waiting
from core.yamlplugin.schema import PluginSpec
from core.yamlplugin.source import Unreadable, read

YAML = "plugin.yaml"
FIRST, LATER = "First tables", "Changes"
PAGES = ("list", "form", "record")


@dataclass(frozen=True)
class Loss:
    """A resource, or ``resource.field``, that goes with all it holds: in so many ``rows``, None where it is unknown."""

    name: str
    rows: int | None


@dataclass(frozen=True)
class Plan:
    """What writing a design would do, before anything happens.

    - ``files``: what would be made or changed, by path.
    - ``revision``: of the migration; "" where the tables stay as they are. ``sql`` is all it would run.
    - ``advice``: code, sentence and params of what to think of (``core.db.advice``).
    - ``losses``: what would go with all it holds. ``renamed``: what gets another name, from and to.
    - ``digest``: over files and SQL; who accepts a plan accepts this.
    """

    spec: PluginSpec
    new: bool
    files: Mapping[str, str]
    revision: str
    sql: str
    advice: list[dict[str, Any]]
    losses: list[Loss]
    renamed: list[tuple[str, str]]
    digest: str


class Studio:
    """The designs of one process's platform."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.drafts = Drafts(platform.config.home)
        self.bench = Bench(platform.config, platform.database.url, self._unknown)
        self._at_start = {one.name: digest_of_file(Path(one.folder) / YAML) for one in platform.found if one.folder}

    @property
    def root(self) -> Path | None:
        """The folder that designs are written to."""
        first = next((part for part in self.platform.config.plugin_path.split(os.pathsep) if part), "")
        return Path(first).absolute() if first else None

    def installed(self) -> list[str]:
        """The plugins that are a plugin.yaml, which can be opened."""
        return sorted(name for name in {*self._folders(), *self._written()} if self.folder_of(name) is not None)

    def folder_of(self, name: str) -> Path | None:
        """The folder of a plugin that is a plugin.yaml; also one that waits for the restart."""
        folder = self._folders().get(name) or self._written().get(name)
        return folder if folder is not None and (folder / YAML).is_file() else None

    def waiting(self) -> list[str]:
        """The plugins whose plugin.yaml is not the one that this process started with."""
        return [
            name for name in self.installed() if digest_of_file(self._place(name) / YAML) != self._at_start.get(name)
        ]

    def _place(self, name: str) -> Path:
        folder = self.folder_of(name)
        if folder is None:
            raise NotFound()
        return folder

    def _folders(self) -> dict[str, Path]:
        return {one.name: Path(one.folder) for one in reversed(self.platform.found) if one.folder}

    def _written(self) -> dict[str, Path]:
        """Plugins in the folder that designs are written to, whether or not they were there at the start."""
        if self.root is None or not self.root.is_dir():
            return {}
        return {path.parent.name: path.parent for path in self.root.glob(f"[!.]*/{YAML}")}

    def _unknown(self) -> list[str]:
        """Plugins that were written since the start."""
        return sorted(self._written().keys() - self._folders().keys())

    def besides(self, name: str) -> dict[str, Path]:
        """The revisions of plugins that were written since the start, which the database knows; without ``name``."""
        return {one: self._written()[one] / "migrations" for one in self._unknown() if one != name}

    def known(self, name: str) -> dict[str, list[str]]:
        """The fields of each resource as the folder of an installed plugin has them; nothing of a new one."""
        folder = self.folder_of(name) if name else None
        try:
            said = read(folder / YAML).value if folder else None
            resources = said.get("resources") if isinstance(said, dict) else None
            return {str(key): list(one["fields"]) for key, one in (resources or {}).items()}
        except (OSError, Unreadable, TypeError, KeyError, AttributeError):
            return {}

    def begin(self, name: str, label: str) -> Draft:
        """A new design with one resource."""
        return self.drafts.create(design.starter(name, label))

    def open(self, name: str) -> Draft:
        """A design of an installed plugin as it lies in its folder. Raises NotFound."""
        folder = self._place(name)
        with told(folder):
            text = (folder / YAML).read_text("utf-8", "replace")
        return self.drafts.create(text, name, files_of(folder))

    def look(self, draft: Draft) -> design.Design:
        """What the design says and its mistakes, a name that cannot be used among them."""
        folder = self.folder_of(draft.plugin) if draft.plugin else None
        taken = {*self._folders(), *self._written(), "core"} if not draft.plugin else set()
        return design.look(draft.text, folder, kept=draft.plugin, taken=taken)

    def preview(self, draft: Draft, resource: str, page: str, *, locale: str, theme: str) -> str:
        """The HTML of a page of a resource: ``list``, ``form`` or ``record``. Raises DesignUnusable, BenchFailed."""
        answer = self._asked(draft, what="preview", resource=resource, page=page, locale=locale, theme=theme)
        return str(answer["html"])

    def plan(self, draft: Draft) -> Plan:
        """What writing it would do. Raises DesignUnusable, BenchFailed, NameTaken, Waiting, Gone."""
        spec = self._spec(draft)
        new = not draft.plugin
        answer = self._asked(draft, what="plan", message=FIRST if new else LATER)
        made = package.files(draft.text, spec, answer, new=new)
        return Plan(
            spec,
            new,
            made,
            answer["revision"],
            answer["sql"],
            answer["advice"],
            [Loss(**one) for one in answer["losses"]],
            [(former, name) for former, name in answer["renamed"]],
            package.digest_of(made, answer["sql"]),
        )

    def package(self, draft: Draft, plan: Plan) -> bytes:
        """The whole folder as a zip, the same bytes for the same design."""
        folder = self.folder_of(draft.plugin) if draft.plugin else None
        kept = read_all(folder) if folder else {}
        return package.zipped(plan.spec.name, {**kept, **{path: one.encode() for path, one in plan.files.items()}})

    def _spec(self, draft: Draft) -> PluginSpec:
        found = self.look(draft)
        if found.spec is None:
            raise DesignUnusable(
                details={"design": [f"{one.line}:{one.column} {one.message}" for one in found.mistakes]}
            )
        return found.spec

    def _asked(self, draft: Draft, **question: Any) -> dict[str, Any]:
        spec = self._spec(draft)
        folder = self.folder_of(draft.plugin) if draft.plugin else None
        besides = {name: str(path) for name, path in self.besides(spec.name).items()}
        about = {"name": spec.name, "text": draft.text, "folder": str(folder or ""), "besides": besides, **question}
        answer = self.bench.ask(about, without=draft.plugin if draft.plugin in self._folders() else "")
        if answer.get("code") == "TAKEN":
            raise NameTaken(name=spec.name, by=answer["error"])
        if answer.get("code") == "WAITING":
            raise Waiting(name=answer["error"])
        if answer.get("code") == "GONE":
            raise Gone(revision=answer["error"])
        if "error" in answer:
            raise BenchFailed(problem=answer["error"])
        return answer


def digest_of_file(path: Path) -> str:
    """ "" where there is none, or it cannot be read."""
    try:
        return digest(path.read_bytes())
    except OSError:
        return ""


def read_all(folder: Path) -> dict[str, bytes]:
    """Every file of a plugin's folder by path, but for what Python keeps there."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink() and not {"__pycache__", ".git"} & set(path.parts)
    }


def files_of(folder: Path) -> dict[str, str]:
    """Digests of what a design builds upon: the plugin.yaml and the revisions."""
    paths = [folder / YAML, *sorted((folder / "migrations").glob("*.py"))]
    return {path.relative_to(folder).as_posix(): digest_of_file(path) for path in paths}
