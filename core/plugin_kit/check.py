"""``guildhall plugin check``: the contract suite in a process of its own, on a database of its own, in bounded time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from config import Config
from core.loader import MANIFESTS, discover
from core.plugin_kit.effects import module
from core.plugin_kit.errors import NoPluginHere
from core.plugin_kit.finding import Finding
from core.plugin_kit.throwaway import server

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 300.0


@dataclass(frozen=True)
class Checked:
    """What was found of one plugin."""

    name: str
    findings: tuple[Finding, ...]

    @property
    def wrong(self) -> bool:
        return any(one.wrong for one in self.findings)

    def as_json(self) -> dict[str, Any]:
        return {"name": self.name, "wrong": self.wrong, "findings": [one.as_json() for one in self.findings]}


def targets(config: Config, given: Sequence[str]) -> tuple[list[str], str]:
    """The names of the plugins meant, and the plugin path to find them by; none given means every one that is found.

    Each is the name of a plugin or a folder that is one. Raises NoPluginHere.
    """
    folders = [str(Path(part).resolve()) for part in config.plugin_path.split(os.pathsep) if part]
    known = [one.name for one in discover(config)]
    names = []
    for one in given:
        folder = Path(one).resolve()
        if any((folder / file).is_file() for file in MANIFESTS):
            names.append(folder.name)
            if str(folder.parent) not in folders and not _bundled(folder):
                folders.append(str(folder.parent))
        elif one in known:
            names.append(one)
        else:
            raise NoPluginHere(name=one)
    return list(dict.fromkeys(names)) or known, os.pathsep.join(folders)


def _bundled(folder: Path) -> bool:
    return folder.parent == ROOT / "plugins"


def check(config: Config, given: Sequence[str], seconds: float = SECONDS) -> list[Checked]:
    """Try plugins, and return what was found of each. Raises NoPluginHere, RuntimeProblem."""
    names, path = targets(config, given)
    with server() as made, tempfile.TemporaryDirectory(prefix="guildhall-check-") as home:
        answer = Path(home) / "answer"
        boot = {"plugin_path": path, "disabled_plugins": config.disabled_plugins}
        url = made.database()
        ask = {"names": names, "url": url, "home": home, "boot": boot, "answer": str(answer)}
        ended = _run(ask, Path(home) / "log", seconds)
        lines = [json.loads(line) for line in answer.read_text("utf-8").splitlines()] if answer.exists() else []
        made.drop(url)
    steps = [line["step"] for line in lines if "step" in line]
    found = [Finding(**line) for line in lines if "step" not in line]
    if not steps or steps[-1]:
        at = steps[-1] if steps else "starting"
        found += [Finding(name, "CHECK_ENDED", f"The check ended while {at}: {ended}") for name in names]
    everybody = [one for one in found if one.plugin not in names]
    return [Checked(name, tuple([one for one in found if one.plugin == name] + everybody)) for name in names]


def _run(ask: dict[str, Any], log: Path, seconds: float) -> str:
    """Let a child examine; how it ended, in words."""
    command, environment = module("core.plugin_kit.examine")
    with log.open("w+", encoding="utf-8", errors="replace") as output:
        child = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            text=True,
            start_new_session=True,
        )
        try:
            child.communicate(json.dumps(ask), timeout=seconds)
        except subprocess.TimeoutExpired:
            return f"it took longer than {seconds:g} seconds; something in it waits, or never ends."
        finally:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)  # and whatever the plugin started
                child.wait()
        output.seek(0)
        last = (output.read().strip().splitlines() or ["it said nothing"])[-1]
        return f"the process ended with {child.returncode} ({last})."
