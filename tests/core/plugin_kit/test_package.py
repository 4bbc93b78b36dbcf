"""A plugin's folder becomes a wheel, the same each time; installed elsewhere it is found, migrated and on."""

from __future__ import annotations

import os
import site
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from core.db.base import metadata
from core.plugin_kit.errors import NoPluginHere, NotPackable
from core.plugin_kit.package import package
from core.plugin_kit.scaffold import new
from tests.conftest import Cluster, test_config

ROOT = Path(__file__).resolve().parents[3]
LOOK = """
import sys
from config import Config
from core.platform import Platform
platform = Platform(Config(secret_key="x" * 40), sys.argv[1], None)
outcomes = platform.upgrade()
for one in platform.found:
    if one.name in sys.argv[2:]:
        print(one.name, one.state, one.plugin.version, outcomes[one.name].ok, "site-packages" in one.folder)
print(platform.catalogues.of("fr").gettext("Closed items"))
"""


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a plugin of each of two sizes."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    new("paper_full", "full", tmp_path / "shelf")
    new("paper_yaml", "yaml", tmp_path / "shelf")
    return tmp_path / "shelf"


def test_a_wheel_holds_what_belongs_to_it_and_is_the_same_each_time(shelf: Path, tmp_path: Path) -> None:
    folder = shelf / "paper_full"
    first = package(test_config(), folder, tmp_path / "one")
    os.utime(folder / "plugin.py", (1, 1))
    (folder / "__pycache__").mkdir(exist_ok=True)
    (folder / "__pycache__" / "old.pyc").touch()
    second = package(test_config(), folder, tmp_path / "two")
    assert first.read_bytes() == second.read_bytes() and first.name == "guildhall_paper_full-0.1.0-py3-none-any.whl"
    with zipfile.ZipFile(first) as wheel:
        names = set(wheel.namelist())
        assert wheel.testzip() is None
        told = wheel.read("guildhall_paper_full-0.1.0.dist-info/METADATA").decode()
    assert {
        "paper_full/plugin.py",
        "paper_full/README.md",
        "paper_full/migrations/paper_full_0001_items.py",
        "paper_full/templates/paper_full/tallies.html",
        "paper_full/translations/fr/LC_MESSAGES/messages.mo",
    } <= names
    assert not [name for name in names if "tests" in name or ".github" in name or "pyproject" in name or ".pyc" in name]
    assert "Name: guildhall-paper-full" in told and "Requires-Dist: guildhall>=0.1" in told


def test_installed_in_a_fresh_environment_it_is_found_and_on(shelf: Path, tmp_path: Path, cluster: Cluster) -> None:
    wheels = [str(package(test_config(), shelf / name, tmp_path)) for name in ("paper_full", "paper_yaml")]
    fresh = tmp_path / "fresh"
    uv = [sys.executable, "-m", "uv"]
    subprocess.run([*uv, "venv", "--offline", "-q", "--python", sys.executable, str(fresh)], check=True)
    python = fresh / "bin" / "python"
    install = ["pip", "install", "--offline", "-q", "--no-deps", "--python", str(python), *wheels]
    subprocess.run([*uv, *install], check=True)
    [packages] = (fresh / "lib").glob("python*/site-packages")
    lines = [f"import site; site.addsitedir({folder!r})" for folder in site.getsitepackages()]
    (packages / "guildhall_itself.pth").write_text("\n".join([*lines, str(ROOT), ""]))
    command = [str(python), "-c", LOOK, cluster.fresh("live"), "paper_full", "paper_yaml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "paper_full enabled 0.1.0 True True",
        "paper_yaml enabled 0.1.0 True True",
        "Éléments clos",
    ]


def test_what_cannot_be_packaged_says_why(shelf: Path, tmp_path: Path) -> None:
    with pytest.raises(NoPluginHere):
        package(test_config(), tmp_path, tmp_path)
    broken = shelf / "paper_broken"
    broken.mkdir()
    (broken / "plugin.py").write_text("raise RuntimeError('no luck today')")
    with pytest.raises(NotPackable, match="no luck today"):
        package(test_config(), broken, tmp_path)
    full = shelf / "paper_full"
    (full / "secret.txt").symlink_to("/etc/hostname")
    with pytest.raises(NotPackable, match=r"secret\.txt is a link"):
        package(test_config(), full, tmp_path)
    (full / "secret.txt").unlink()
    said = (full / "pyproject.toml").read_text()
    (full / "pyproject.toml").write_text(said.replace("0.1.0", "0.2.0"))
    with pytest.raises(NotPackable, match=r"version 0\.2\.0, the manifest 0\.1\.0"):
        package(test_config(), full, tmp_path)
    (full / "pyproject.toml").write_text("[project")
    with pytest.raises(NotPackable, match="cannot be read"):
        package(test_config(), full, tmp_path)
    assert list(tmp_path.glob("*.whl")) == []


def test_nothing_of_what_was_read_stays(shelf: Path, tmp_path: Path) -> None:
    package(test_config(), shelf / "paper_full", tmp_path)
    assert not [name for name in metadata.tables if name.startswith("paper_")]
    assert not [name for name in sys.modules if name.startswith("paper_")]
