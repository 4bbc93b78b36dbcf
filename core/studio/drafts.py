"""Designs that are not written yet: a file each under HOME/studio/drafts, so that they outlive a reload and a restart.

A save says what it saw; where the file is no longer that, it is refused, so that nobody's work is lost unseen.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from core.clock import now
from core.errors import NotFound
from core.ids import new_id
from core.studio.errors import DesignTooLarge, DraftChanged, FolderUnwritable, TooManyDrafts
from core.yamlplugin.source import MOST_BYTES

MOST_DRAFTS = 200


def digest(text: str | bytes) -> str:
    """SHA-256, in hexadecimal."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text).hexdigest()


@dataclass(frozen=True)
class Draft:
    """A design: the text of a ``plugin.yaml``.

    - ``plugin``: the installed plugin that it changes; "" for a new one.
    - ``base``: digests of that plugin's files by path when the design was opened, or last written.
    - ``written``: digest of the text that was last written from it.
    """

    id: UUID
    text: str
    changed_at: datetime
    plugin: str = ""
    base: dict[str, str] = field(default_factory=dict)
    written: str = ""

    @property
    def mark(self) -> str:
        """What a save must have seen."""
        return digest(self.text)[:16]


class Drafts:
    """The drafts of one installation. Raises FolderUnwritable wherever the disk refuses."""

    def __init__(self, home: Path) -> None:
        self.folder = home / "studio" / "drafts"

    def all(self) -> list[Draft]:
        """Every draft, the last changed first; a file that cannot be read is passed over."""
        found = []
        for path in self.folder.glob("*.json") if self.folder.is_dir() else ():
            with suppress(NotFound, ValueError):
                found.append(self.get(UUID(path.stem)))
        return sorted(found, key=lambda one: (one.changed_at, one.id), reverse=True)

    def get(self, key: UUID) -> Draft:
        """Raises NotFound."""
        try:
            read: dict[str, Any] = json.loads((self.folder / f"{key}.json").read_bytes())
            return Draft(**{**read, "id": key, "changed_at": datetime.fromisoformat(read["changed_at"])})
        except (OSError, ValueError, TypeError, KeyError):
            raise NotFound() from None

    def create(self, text: str, plugin: str = "", base: dict[str, str] | None = None) -> Draft:
        """Raises DesignTooLarge, TooManyDrafts."""
        with self._locked():
            if len(list(self.folder.glob("*.json"))) >= MOST_DRAFTS:
                raise TooManyDrafts(most=MOST_DRAFTS)
            return self._keep(Draft(new_id(), text, now(), plugin, base or {}))

    def save(self, key: UUID, text: str, seen: str) -> Draft:
        """Keep ``text`` for who saw the draft as ``seen``. Raises NotFound, DraftChanged, DesignTooLarge."""
        with self._locked():
            draft = self.get(key)
            if draft.text == text:
                return draft
            if draft.mark != seen:
                raise DraftChanged()
            return self._keep(replace(draft, text=text, changed_at=now()))

    def written(self, key: UUID, text: str, plugin: str, base: dict[str, str]) -> None:
        """Remember that ``text`` was written, and what the plugin's folder holds since. Nothing where it is gone."""
        with self._locked(), suppress(NotFound):
            self._keep(replace(self.get(key), plugin=plugin, base=base, written=digest(text)))

    def delete(self, key: UUID) -> None:
        with self._locked():
            (self.folder / f"{key}.json").unlink(missing_ok=True)

    def _keep(self, draft: Draft) -> Draft:
        if len(draft.text.encode("utf-8", "surrogatepass")) > MOST_BYTES:
            raise DesignTooLarge(most=MOST_BYTES)
        values = {**asdict(draft), "changed_at": draft.changed_at.isoformat()}
        del values["id"]
        place(self.folder / f"{draft.id}.json", json.dumps(values).encode())
        return draft

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One change at a time, in all processes of this machine."""
        with told(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            with open(self.folder / ".lock", "wb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield


@contextmanager
def told(folder: Path) -> Iterator[None]:
    """Say in a sentence what the disk refused."""
    try:
        yield
    except OSError as problem:
        raise FolderUnwritable(folder=str(folder), problem=problem.strerror or type(problem).__name__) from None


def place(path: Path, content: bytes) -> None:
    """Put a file where it belongs whole or not at all, and on the disk before it is seen."""
    handle, draft = tempfile.mkstemp(prefix=".new-", dir=path.parent)
    try:
        with open(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(draft, 0o644)
        os.replace(draft, path)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(draft)
        raise
    settle(path.parent)


def settle(folder: Path) -> None:
    """Let what happened in a folder reach the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
