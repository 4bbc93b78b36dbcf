from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

MEMORY = Path("/dev/shm")  # three times as quick as a disk, when there is room


@pytest.fixture
def home() -> Iterator[Path]:
    """A home with a space and an umlaut in its path, which any user may enter."""
    roomy = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > 2**30
    folder = Path(tempfile.mkdtemp(prefix="runtime test ü ", dir=MEMORY if roomy else None))
    folder.chmod(0o755)
    yield folder / "var"
    shutil.rmtree(folder, ignore_errors=True)
