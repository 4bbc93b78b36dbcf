"""The tests that the examples under docs/examples bring pass where nothing but Guildhall is installed.

That the examples are sound is checked in tests/core/plugin_kit.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Cluster

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "docs" / "examples"
TESTED = ["helpdesk_connector", "mentoring"]


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    words = [sys.executable, "-m", *command]
    return subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)


@pytest.mark.parametrize("name", TESTED)
def test_their_own_tests_pass_elsewhere(tmp_path: Path, cluster: Cluster, name: str) -> None:
    cluster.template()  # which the child then need not make
    folder = tmp_path / name
    shutil.copytree(EXAMPLES / name, folder, ignore=shutil.ignore_patterns("__pycache__"))
    done = run(folder, "pytest", "-p", "no:randomly", "-p", "no:cacheprovider", "-q")
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
