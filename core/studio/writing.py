"""Write a planned design into the folder of plugins and apply its migration: all, or nothing, or a journal to go on by.

``<folder>/.studio/<name>/`` is the journal: the new files, those they replace, and ``plan.json``, written last of all.
Without it nothing has happened. With it, wherever the process ended, ``finish`` does what is left and ``take_back``
undoes what was done. A new plugin appears by one rename of its whole folder; in an installed one the revision comes
first and ``plugin.yaml`` last, so that a start in between finds nothing worse than a revision it can apply.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import text

from core.actor import Actor
from core.audit.trail import record
from core.db.branch import Branch, Outcome
from core.errors import NotFound
from core.studio.drafts import Draft, digest, place, settle, told
from core.studio.errors import (
    Busy,
    FolderChanged,
    LossNotAccepted,
    NameTaken,
    NoPluginFolder,
    NotMigrated,
    NotYours,
    PlanChanged,
    StudioOff,
    Unfinished,
)
from core.studio.service import YAML, Plan, Studio, digest_of_file, files_of

LOCK = "core.studio.write"
JOURNALS = ".studio"


@dataclass(frozen=True)
class Journal:
    """A write that was begun. ``files`` maps a path to digests of what was there ("" for nothing) and what comes."""

    folder: Path
    name: str
    new: bool
    draft: str
    revision: str
    sql: str
    requires: list[str]
    files: dict[str, tuple[str, str]]

    @property
    def target(self) -> Path:
        return self.folder.parent.parent / self.name

    @property
    def ordered(self) -> list[str]:
        """Revisions first, plugin.yaml last."""
        return sorted(self.files, key=lambda path: (path == YAML, path))


def write(studio: Studio, actor: Actor, draft: Draft, accepted: str, *, losses: Collection[str] = ()) -> Plan:
    """Write the design of ``draft`` and apply its migration; every process goes on without it until it starts again.

    ``accepted`` is the digest of the plan that was shown, ``losses`` the names that somebody typed of what goes
    and may hold something. Raises
    StudioOff, NoPluginFolder, NotYours, NameTaken, Unfinished, Busy, PlanChanged, FolderChanged, LossNotAccepted,
    FolderUnwritable, NotMigrated, and what ``Studio.plan`` raises; then nothing of it is left. Audited.
    """
    root = folder_of(studio)
    with _alone(studio):
        for one in unfinished(studio):
            raise Unfinished(name=one.name)
        plan = studio.plan(draft)
        name = plan.spec.name
        if plan.digest != accepted:
            raise PlanChanged()
        if missing := [one.name for one in plan.losses if one.rows != 0 and one.name not in losses]:
            raise LossNotAccepted(names=", ".join(missing))
        target = root / name
        if not plan.new and studio.folder_of(name) != target:
            raise NotYours(name=name, folder=str(root))
        if plan.new and target.exists():
            raise NameTaken(name=name, by=str(target))
        if not plan.new and (odd := _changed(draft.base, files_of(target))):
            raise FolderChanged(file=odd)
        with told(root):
            journal = _begin(root, draft, plan)
        _audit(studio, actor, "write_begun", journal)
        _carry_out(studio, actor, journal)
    return plan


def finish(studio: Studio, actor: Actor, name: str) -> None:
    """Do what is left of a write that stopped half way. Raises NotFound, and as ``write`` does."""
    folder_of(studio)
    with _alone(studio):
        _carry_out(studio, actor, _journal(studio, name))


def take_back(studio: Studio, actor: Actor, name: str) -> None:
    """Undo what was done of a write that stopped half way. Raises NotFound; Conflict where its revision is applied."""
    folder_of(studio)
    with _alone(studio):
        from core.db import migrate  # brings Alembic, which takes time to import

        journal = _journal(studio, name)
        if journal.revision and journal.revision in migrate.current(studio.platform.database.engine):
            raise NotMigrated(reason="its revision is applied already, so it can only be finished")
        with told(journal.target):
            _undo(journal)
        _audit(studio, actor, "taken_back", journal)


def unfinished(studio: Studio) -> list[Journal]:
    """Writes that stopped half way; a journal that was never complete is cleared away."""
    root = studio.root
    found = []
    for folder in sorted((root / JOURNALS).iterdir()) if root is not None and (root / JOURNALS).is_dir() else ():
        with suppress(OSError, ValueError, TypeError):
            read: dict[str, Any] = json.loads((folder / "plan.json").read_bytes())
            read["files"] = {path: (before, after) for path, (before, after) in read["files"].items()}
            found.append(Journal(folder=folder, **read))
    return found


def folder_of(studio: Studio) -> Path:
    """Where designs are written. Raises StudioOff, NoPluginFolder."""
    if not studio.platform.config.studio:
        raise StudioOff()
    if studio.root is None:
        raise NoPluginFolder()
    return studio.root


def _journal(studio: Studio, name: str) -> Journal:
    found = next((one for one in unfinished(studio) if one.name == name), None)
    if found is None:
        raise NotFound()
    return found


@contextmanager
def _alone(studio: Studio) -> Iterator[None]:
    """One write at a time on this database; who comes second is told, not kept waiting."""
    with studio.platform.database.engine.connect() as connection:
        held = connection.scalar(text("SELECT pg_try_advisory_lock(hashtextextended(:name, 0))"), {"name": LOCK})
        connection.commit()
        if not held:
            raise Busy()
        try:
            yield
        finally:
            connection.execute(text("SELECT pg_advisory_unlock(hashtextextended(:name, 0))"), {"name": LOCK})
            connection.commit()


def _begin(root: Path, draft: Draft, plan: Plan) -> Journal:
    """Lay out the journal: on the disk before ``plan.json`` says that it counts."""
    folder = root / JOURNALS / plan.spec.name
    if folder.is_dir():  # one that never counted
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    for path, content in plan.files.items():
        _lay(folder / "after" / path, content.encode())
        if not plan.new and (there := root / plan.spec.name / path).is_file():
            _lay(folder / "before" / path, there.read_bytes())
    files = {
        path: ("" if plan.new else digest_of_file(root / plan.spec.name / path), digest(content))
        for path, content in plan.files.items()
    }
    about: dict[str, Any] = {
        "name": plan.spec.name,
        "new": plan.new,
        "draft": str(draft.id),
        "revision": plan.revision,
        "sql": digest(plan.sql),
        "requires": sorted(plan.spec.requires),
        "files": files,
    }
    place(folder / "plan.json", json.dumps(about, sort_keys=True).encode())
    settle(folder.parent)
    return Journal(folder=folder, **about)


def _lay(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    place(path, content)


def _carry_out(studio: Studio, actor: Actor, journal: Journal) -> None:
    """Put the files where they belong, apply the migration, clear the journal; on a refusal, undo."""
    try:
        with told(journal.target):
            _put_in_place(journal)
    except Exception:
        with suppress(OSError):
            _undo(journal)
        _audit(studio, actor, "write_failed", journal)
        raise
    outcome = _migrated(studio, journal)
    if not outcome.ok:
        with told(journal.target):
            _undo(journal)
        _audit(studio, actor, "write_failed", journal)
        raise NotMigrated(reason=outcome.reason)
    _audit(studio, actor, "written", journal)
    content = (journal.target / YAML).read_text("utf-8")
    studio.drafts.written(UUID(journal.draft), content, journal.name, files_of(journal.target))
    shutil.rmtree(journal.folder, ignore_errors=True)


def _migrated(studio: Studio, journal: Journal) -> Outcome:
    if not journal.revision:
        return Outcome(True)
    from core.db import migrate  # brings Alembic, which takes time to import

    mine = Branch(journal.name, journal.target / "migrations", tuple(journal.requires))
    others = [one for one in studio.platform.branches if one.name != journal.name]
    others += [Branch(name, folder) for name, folder in studio.besides(journal.name).items()]
    return migrate.upgrade_branch(studio.platform.database.url, [*others, mine], mine)


def _put_in_place(journal: Journal) -> None:
    """Idempotent: what is there already stays. Raises FolderChanged, NameTaken."""
    target, after = journal.target, journal.folder / "after"
    if journal.new:
        if _there(journal):
            return
        if target.exists() and any(target.iterdir()):
            raise NameTaken(name=journal.name, by=str(target))
        staged = journal.folder / "staged"
        shutil.rmtree(staged, ignore_errors=True)
        for path in journal.files:
            _lay(staged / path, (after / path).read_bytes())
        target.mkdir(exist_ok=True)
        os.rename(staged, target)  # refused where somebody put something there meanwhile
        settle(target.parent)
        return
    for path in journal.ordered:
        now, (before, coming) = digest_of_file(target / path), journal.files[path]
        if now == coming:
            continue
        if now != before:
            raise FolderChanged(file=path)
        _lay(target / path, (after / path).read_bytes())


def _there(journal: Journal) -> bool:
    """Whether a new plugin's folder holds exactly what was written."""
    return all(digest_of_file(journal.target / path) == after for path, (_before, after) in journal.files.items())


def _undo(journal: Journal) -> None:
    """Take away what was put in place, plugin.yaml first, and only what is still as it was put."""
    for path in reversed(journal.ordered):
        there, (before, after) = journal.target / path, journal.files[path]
        if before == after or digest_of_file(there) != after:
            continue
        if before:
            place(there, (journal.folder / "before" / path).read_bytes())
        else:
            there.unlink()
    if journal.new and journal.target.is_dir():
        for folder in [
            *sorted((one for one in journal.target.rglob("*") if one.is_dir()), reverse=True),
            journal.target,
        ]:
            if folder.name == "__pycache__":
                shutil.rmtree(folder, ignore_errors=True)
            else:
                with suppress(OSError):  # somebody's own file is in it
                    folder.rmdir()
    shutil.rmtree(journal.folder, ignore_errors=True)


def _changed(base: Mapping[str, str], now: Mapping[str, str]) -> str:
    """The first file that is not what it was; "" where all are."""
    return next((path for path in sorted({*base, *now}) if base.get(path) != now.get(path)), "")


def _audit(studio: Studio, actor: Actor, act: str, journal: Journal) -> None:
    """Committed at once: what was begun is known even where the process ends in the midst of it."""
    changes = {"sql": [None, journal.sql], "revision": [None, journal.revision], "files": [None, sorted(journal.files)]}
    with studio.platform.unit_of_work(actor) as session:
        record(session, actor, f"core.studio.{act}", subject_type="plugin", subject_id=journal.name, changes=changes)
