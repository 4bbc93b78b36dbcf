"""docs/integrators/kit.md works as it stands: its files are written, its commands run in an empty folder."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from config import Config
from core.plugin_kit.commands import plugin_group
from tests.conftest import Cluster

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "integrators" / "kit.md").read_text()
BLOCK = re.compile(
    r"<!-- (?:file: (?P<file>\S+)|run(?:: (?P<exit>\d+) (?P<told>[^>]*?))?) -->\n```\w+\n(?P<text>.*?)```", re.DOTALL
)
COMMANDS = {"guildhall": [sys.executable, "-m", "app"], "pytest": [sys.executable, "-m", "pytest", "-p", "no:randomly"]}
CODE = re.compile(r"\"([A-Z]+(?:_[A-Z]+)+)\"")


HERE = {"new", "package"}  # commands that need no process of their own


def run(line: str, folder: Path) -> tuple[int, str]:
    """Run one command of the page; its exit code, and what it printed."""
    words = shlex.split(line)
    environment = {**os.environ, "GUILDHALL_SECRET_KEY": "x" * 40, "PYTHONPATH": str(ROOT)}
    if words[:2] == ["guildhall", "plugin"] and words[2] in HERE:
        config = Config.load({"GUILDHALL_SECRET_KEY": "x" * 40}, folder)
        result = CliRunner().invoke(plugin_group, words[2:], obj=config)
        return result.exit_code, result.output + str(result.exception or "")
    command = [*COMMANDS[words[0]], *words[1:]]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)
    return done.returncode, done.stdout + done.stderr


def test_the_page_leads_from_nothing_to_a_wheel(
    tmp_path: Path, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.template()  # which the commands then need not make
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    blocks = list(BLOCK.finditer(PAGE))
    assert len(blocks) == 6
    for block in blocks:
        if name := block["file"]:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block["text"])
            continue
        printed = ""
        for line in block["text"].strip().splitlines():
            code, told = run(line, tmp_path)
            assert code == int(block["exit"] or 0), f"{line}\n{told}"
            printed += told
        for wanted in (block["told"] or "").split():
            assert f"WRONG {wanted} " in printed
    made = sorted((tmp_path / "dist").glob("*.whl"))
    assert [path.name.partition("-")[0] for path in made] == ["guildhall_book_club", "guildhall_tool_shed"]
    assert "tool_shed/plugin.yaml" in zipfile.ZipFile(made[1]).namelist()


def test_every_finding_is_explained() -> None:
    codes = set()
    for path in (ROOT / "core" / "plugin_kit").glob("*.py"):
        if path.name not in ("errors.py", "package.py"):
            codes |= set(CODE.findall(path.read_text()))
    codes -= {"GUILDHALL_TEST_CLUSTER"}
    explained = set(re.findall(r"`([A-Z]+(?:_[A-Z]+)+)`", PAGE))
    assert codes - explained == set()
    assert {code for code in explained - codes if not code.startswith("STATE_")} == set()
