"""Plugins described in YAML, in the folder of a test."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

from tests.core.workshop import Workshop, eventually, plain_logs, shop, states, workshop

__all__ = ["eventually", "plain_logs", "shop", "states", "workshop"]
EXAMPLES = Path(__file__).resolve().parents[3] / "docs" / "examples"


@pytest.fixture
def described(workshop: Workshop) -> Callable[..., Path]:
    """Writes a ``plugin.yaml``, and perhaps an ``actions.py``, into a new folder."""

    def write(name: str, text: str, actions: str = "") -> Path:
        folder = workshop.folder / name
        folder.mkdir(exist_ok=True)
        (folder / "plugin.yaml").write_text(dedent(text))
        if actions:
            (folder / "actions.py").write_text(dedent(actions))
        return folder

    return write


@pytest.fixture
def example(workshop: Workshop) -> Callable[[str], Path]:
    """Copies a plugin of ``docs/examples``."""

    def copy(name: str) -> Path:
        return Path(shutil.copytree(EXAMPLES / name, workshop.folder / name, ignore=shutil.ignore_patterns("*.pyc")))

    return copy
