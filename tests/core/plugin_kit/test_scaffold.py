"""A new plugin has a name that can be one, and is written whole or not at all."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from click.testing import CliRunner

from core.plugin_kit import scaffold
from core.plugin_kit.commands import plugin_group
from core.plugin_kit.errors import FolderTaken, NameRefused
from core.plugin_kit.scaffold import SIZES, new
from tests.conftest import test_config


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("Book", "small letters"),
        ("book-club", "small letters"),
        ("1book", "small letters"),
        ("_book", "small letters"),
        ("book__club", "small letters"),
        ("book_", "small letters"),
        ("../book", "small letters"),
        ("bücher", "small letters"),
        ("", "small letters"),
        ("book\n", "small letters"),
        ("b" * 41, "41 characters"),
        ("core", "reserved"),
        ("class", "reserved"),
        ("wallet", "a plugin of that name"),
        ("json", "Python package"),
        ("sqlalchemy", "Python package"),
    ],
)
def test_a_name_that_cannot_be_one_is_refused(tmp_path: Path, name: str, told: str) -> None:
    with pytest.raises(NameRefused, match=told):
        new(name, "mini", tmp_path, {"wallet"})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("size", SIZES)
def test_every_file_is_filled_in(tmp_path: Path, size: str) -> None:
    folder = new("book_club", size, tmp_path / "some" / "where")
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert folder.name == "book_club" and files
    assert not [path for path in files if path.suffix == scaffold.SUFFIX or "NAME" in path.name]
    assert not [path for path in files if "$name" in path.read_text() or "${" in path.read_text()]
    for path in folder.rglob("*.py"):
        compile(path.read_text(), str(path), "exec")


def test_what_is_there_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "book_club").mkdir()
    with pytest.raises(FolderTaken):
        new("book_club", "mini", tmp_path)
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    with pytest.raises(FolderTaken):
        new("gone", "mini", tmp_path)
    assert list((tmp_path / "book_club").iterdir()) == []


def test_of_many_who_make_it_at_once_one_does(tmp_path: Path) -> None:
    def make(_number: int) -> bool:
        try:
            new("book_club", "full", tmp_path)
        except FolderTaken:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(make, range(16))) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["book_club"]


def test_a_failure_half_way_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_source: Path, target: Path, _name: str) -> None:
        (target / "plugin.py").touch()
        raise OSError("no room")

    monkeypatch.setattr(scaffold, "_render", broken)
    with pytest.raises(OSError, match="no room"):
        new("book_club", "mini", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_command_refuses_the_name_of_a_bundled_plugin(tmp_path: Path) -> None:
    arguments = ["new", "badges", "--size", "mini", "--into", str(tmp_path)]
    refused = CliRunner().invoke(plugin_group, arguments, obj=test_config())
    assert isinstance(refused.exception, NameRefused)


@pytest.mark.parametrize("size", SIZES)
def test_it_is_laid_out_as_ruff_lays_it_out(tmp_path: Path, size: str) -> None:
    folder = new("book_club", size, tmp_path)
    own = [] if size == "full" else ["--isolated", "--line-length", "120"]
    for command in (["check"], ["format", "--check"]):
        words = [sys.executable, "-m", "ruff", *command, "--no-cache", *own, str(folder)]
        done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
