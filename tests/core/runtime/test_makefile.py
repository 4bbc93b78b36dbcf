"""The Makefile, beside a stand-in for the virtual environment: nothing is installed here."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="needs make")


def make(folder: Path, *arguments: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    program = shutil.which("make")
    assert program is not None
    # A make that runs these tests must not hand its own options on.
    inherited = {k: v for k, v in os.environ.items() if k not in {"MAKEFLAGS", "MAKELEVEL", "MFLAGS", "PORT"}}
    return subprocess.run(
        [program, *arguments],
        cwd=folder,
        env={**inherited, **(env or {})},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "a project"
    folder.mkdir()
    shutil.copy(ROOT / "Makefile", folder)
    for name in ("uv.lock", "pyproject.toml"):
        (folder / name).touch()
    return folder


@pytest.fixture
def environment(project: Path) -> Path:
    """An interpreter that says what it is asked to run."""
    python = project / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\necho "$@ PORT=$PORT REPO=$REPO DEMO=$DEMO"\n[ "$2" != "$FAILING" ]\n')
    python.chmod(0o755)
    return python


def test_run_installs_once_and_hands_its_options_on(project: Path, environment: Path) -> None:
    first = make(project, "run", "PORT=8123", "REPO=/a/b", env={"DEMO": "false"})
    assert first.returncode == 0, first.stderr
    assert "-m uv sync --frozen --inexact --quiet --no-dev" in first.stdout
    assert first.stdout.splitlines()[-1] == "-m app run PORT=8123 REPO=/a/b DEMO=false"
    assert make(project, "run").stdout == "-m app run PORT= REPO= DEMO=\n"
    os.utime(project / "uv.lock", (2**31, 2**31))
    assert "uv sync" in make(project, "run").stdout


def test_test_installs_the_rest_and_fails_with_pytest(project: Path, environment: Path) -> None:
    done = make(project, "test", "ARGS=-x tests", "SEED=7", env={"FAILING": "pytest"})
    assert "-m uv sync --frozen --inexact --quiet PORT" in done.stdout
    assert "-m pytest -n 2 --dist loadgroup --randomly-seed=7 -x tests PORT" in done.stdout
    assert done.returncode != 0


@pytest.mark.parametrize(
    ("failing", "sentence"),
    [("pip", "The tool uv cannot be installed: "), ("uv", "The packages cannot be installed: ")],
)
def test_no_package_index_is_one_sentence(project: Path, environment: Path, failing: str, sentence: str) -> None:
    done = make(project, "run", env={"FAILING": failing})
    assert done.returncode != 0
    assert done.stderr.startswith(sentence)
    assert "app run" not in make(project, "run", env={"FAILING": failing}).stdout


def test_no_python_is_one_sentence(project: Path) -> None:
    tools = project / "tools"
    tools.mkdir()
    (tools / "sh").symlink_to("/bin/sh")
    done = make(project, "run", env={"PATH": str(tools)})
    assert done.returncode != 0
    assert done.stderr.startswith("Guildhall needs Python 3.11 or 3.12 with its venv module; ")
    assert not (project / ".venv").exists()


def test_an_environment_that_was_left_half_made_is_made_anew(project: Path, environment: Path) -> None:
    environment.write_text("#!/bin/sh\nexit 1\n")
    tools = project.parent / "tools"
    tools.mkdir()
    python = tools / "python3.12"
    python.write_text(
        '#!/bin/sh\n[ "$1" = -c ] && exit 0\n'
        'printf "#!/bin/sh\\necho new \\$@\\n" > .venv/bin/python\necho "made by $@"\n'
    )
    python.chmod(0o755)
    done = make(project, "run", env={"PATH": f"{tools}:{os.environ['PATH']}"})
    assert done.returncode == 0, done.stderr
    assert "made by -m venv --clear .venv" in done.stdout
    assert done.stdout.splitlines()[-1] == "new -m app run"


def test_an_environment_that_cannot_be_made_is_one_sentence(project: Path) -> None:
    tools = project.parent / "tools"
    tools.mkdir()
    python = tools / "python3.12"
    python.write_text('#!/bin/sh\n[ "$1" = -c ]\n')
    python.chmod(0o755)
    done = make(project, "run", env={"PATH": f"{tools}:{os.environ['PATH']}"})
    assert done.returncode != 0
    assert done.stderr.startswith("The folder .venv cannot be made: ")


def test_clean_takes_the_database_outside_along_and_nothing_else(project: Path, environment: Path) -> None:
    ours, other = project.parent / "guildhall-x y" / "postgres", project.parent / "precious" / "postgres"
    for data in (ours, other):
        data.mkdir(parents=True)
        (project / "var").mkdir(exist_ok=True)
        (project / "var" / "postgres").symlink_to(data)
        assert make(project, "clean").returncode == 0
        assert not (project / "var").exists()
    assert not ours.parent.exists()
    assert other.exists()
    assert not (project / ".venv").exists()
