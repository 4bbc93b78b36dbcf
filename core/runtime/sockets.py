"""A short private folder for the engines' sockets: a socket's path is limited to about 100 bytes."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from pathlib import Path

PREFIX = "guildhall-"
LONGEST = 60  # bytes of the temporary folder's path; leaves room for our names


class SocketFolder:
    """Made on first use; the same path until ``remove()``."""

    def __init__(self) -> None:
        self._path: Path | None = None

    @property
    def path(self) -> Path:
        """The folder. Raises RuntimeError before ``make()``."""
        if self._path is None:
            raise RuntimeError("the socket folder is not made yet")
        return self._path

    def make(self) -> Path:
        """Make the folder if it is not there. Raises OSError."""
        if self._path is None:
            self._path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=base_folder()))
        elif self._path.is_dir():
            return self._path
        else:
            self._path.mkdir(0o700)  # cleaned away meanwhile; clients know the path, so it stays
        if os.geteuid() == 0:
            self._path.chmod(0o711)  # the engine's unprivileged user passes through to its own subfolder
        return self._path

    def remove(self) -> None:
        if self._path is not None:
            shutil.rmtree(self._path, ignore_errors=True)
            self._path = None


def remove_left_behind(path: Path) -> None:
    """Remove a socket folder that an earlier, killed run made; anything else is left alone."""
    ours = path.name.startswith(PREFIX) and path.parent == Path(base_folder()) and not path.is_symlink()
    if ours and path.is_dir() and path.stat().st_uid == os.geteuid():
        shutil.rmtree(path, ignore_errors=True)


def base_folder() -> str:
    """A temporary folder with a short, plain path."""
    folder = tempfile.gettempdir()
    # PostgreSQL reads a list of folders, separated by commas: only a plain path goes through as it is.
    return folder if len(folder) <= LONGEST and re.fullmatch(r"[\w/.+-]+", folder, re.ASCII) else "/tmp"
