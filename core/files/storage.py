"""Where the content of files lies: a folder, or S3. A storage knows keys and bytes, neither names nor owners."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import IO, Protocol
from urllib.parse import parse_qs, urlsplit

from config import Config
from core.files.errors import StorageSilent

KEY = re.compile(r"[0-9a-f]{2}/[0-9a-f]{64}")


class Storage(Protocol):
    """A further storage is a class with these members and a line in ``from_config``. Every method raises StorageSilent
    when it does not answer."""

    def put(self, key: str, source: Path) -> None:
        """Keep the content of ``source`` under ``key``, whole or not at all; the same key has the same content."""

    def open(self, key: str, start: int = 0, stop: int | None = None) -> IO[bytes]:
        """The content from the byte ``start`` on; the caller closes it, and reads none at or behind ``stop``.

        No more than that is fetched from afar. Raises FileNotFoundError.
        """

    def delete(self, key: str) -> None:
        """Forget the content; a key that is not there is as good."""

    def keys(self, before: datetime) -> Iterator[str]:
        """Keys whose content was put before then."""


def key_of(sha256: str) -> str:
    """The key of content with this digest."""
    return f"{sha256[:2]}/{sha256}"


def from_config(config: Config) -> Storage:
    """The storage that GUILDHALL_FILES_URL names: empty is HOME/files, ``s3://bucket/prefix?endpoint=…&region=…``."""
    if not config.files_url:
        return LocalStorage(config.home / "files")
    from core.files.s3 import S3Storage

    url = urlsplit(config.files_url)
    options = {name: values[-1] for name, values in parse_qs(url.query).items()}
    return S3Storage(url.netloc, url.path.strip("/"), options.get("endpoint"), options.get("region"))


class LocalStorage:
    """A folder, made at first use. Files appear in it whole, by renaming, and are readable by its owner alone."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, key: str, source: Path) -> None:
        target = self._path(key)
        if target.exists():
            os.utime(target)  # it is wanted again: not to be swept as left over
            return
        try:
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            made, draft = tempfile.mkstemp(prefix=".", dir=target.parent)
            try:
                with open(made, "wb") as file, open(source, "rb") as content:
                    shutil.copyfileobj(content, file)
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(draft, target)
            except BaseException:
                Path(draft).unlink(missing_ok=True)
                raise
        except OSError:
            raise StorageSilent() from None

    def open(self, key: str, start: int = 0, stop: int | None = None) -> IO[bytes]:
        file = open(self._path(key), "rb")  # noqa: SIM115 (the caller closes it)
        file.seek(start)
        return file

    def delete(self, key: str) -> None:
        self._path(key).unlink(missing_ok=True)

    def keys(self, before: datetime) -> Iterator[str]:
        """Drafts that a crash left behind are taken away on the way."""
        for path in sorted(self._folder.glob("??/*")):
            if path.stat().st_mtime >= before.timestamp():
                continue
            key = f"{path.parent.name}/{path.name}"
            if KEY.fullmatch(key):
                yield key
            elif path.name.startswith("."):
                path.unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        if not KEY.fullmatch(key):
            raise ValueError("this is no key of a file")
        return self._folder / key
