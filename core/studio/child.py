"""The process in which designs are tried out: it loads Guildhall, then forks for each question (see ``bench``).

``python -m core.studio.child <descriptor>``; the first line says with which settings, each further one is a question.
"""

from __future__ import annotations

import json
import os
import pkgutil
import resource
import select
import shutil
import signal
import socket
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any

from config import Config
from core.db.branch import Branch
from core.heap import loading
from core.loader import load_one
from core.platform import Platform
from core.studio.bench import ANSWER_SECONDS

REST_SECONDS = 600.0  # without a question; then it ends
WORK_SECONDS = ANSWER_SECONDS - 5
MOST_MEMORY = 4 << 30
MOST_ANSWER = 20_000_000


def main(descriptor: int) -> None:
    line = socket.socket(fileno=descriptor)
    os.dup2(2, 1)  # what a plugin prints belongs to the log
    reader = line.makefile("rb")
    line.settimeout(REST_SECONDS)
    about = json.loads(reader.readline())
    config = Config(**about["config"])
    with loading():
        platform = Platform(config, about["database_url"], None)
        app = pkgutil.resolve_name("app:create_app")(platform)
        from core.studio import plan, preview  # noqa: F401  (so that no fork has to load them)
    line.sendall(json.dumps({"ready": True}).encode() + b"\n")
    try:
        while question := reader.readline():
            line.sendall(_answered(line, platform, app, question) + b"\n")
    except TimeoutError:
        pass


def _answered(line: socket.socket, platform: Platform, app: Any, question: bytes) -> bytes:
    """The answer of a fork; its end is the end of all it did. The work has a bound in time, memory and words."""
    read, write = os.pipe()
    folder = tempfile.mkdtemp(prefix="guildhall-studio-")
    pid = os.fork()
    if pid == 0:
        line.close()
        os.close(read)
        _work(write, platform, app, json.loads(question), Path(folder))
    os.close(write)
    try:
        answer = _collected(read)
    finally:
        os.close(read)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        shutil.rmtree(folder, ignore_errors=True)
    return answer or json.dumps({"error": "it took too long, or too much"}).encode()


def _collected(read: int) -> bytes:
    """What the fork writes until it closes; nothing where it is late or says too much."""
    parts: list[bytes] = []
    size, until = 0, time.monotonic() + WORK_SECONDS
    while select.select([read], [], [], max(0.0, until - time.monotonic()))[0]:
        part = os.read(read, 1 << 16)
        size += len(part)
        if not part:
            return b"".join(parts)
        if size > MOST_ANSWER:
            return b""
        parts.append(part)
    return b""


def _work(write: int, platform: Platform, app: Any, question: dict[str, Any], folder: Path) -> None:
    try:
        resource.setrlimit(resource.RLIMIT_CPU, (int(WORK_SECONDS), int(WORK_SECONDS)))
        resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
        try:
            answer = _done(platform, app, question, folder)
        except BaseException as problem:  # nothing of a design goes further than this fork
            traceback.print_exc()
            answer = {"error": f"{type(problem).__name__}: {problem}".partition("\n")[0][:500]}
        with os.fdopen(write, "wb") as out:
            out.write(json.dumps(answer).encode())
    finally:
        os._exit(0)


def _done(platform: Platform, app: Any, question: dict[str, Any], folder: Path) -> dict[str, Any]:
    from core.studio import plan, preview

    home = _laid_out(question, folder)
    found = load_one(platform.registry, home, platform.found)
    if found.plugin is None or found.plugin.name not in platform.registry.plugins:
        return {"error": found.reason}
    branches = [
        *platform.branches,
        *(Branch(name, Path(folder)) for name, folder in question["besides"].items()),
        Branch(found.name, home / "migrations", tuple(found.plugin.requires)),
    ]
    if question["what"] == "plan":
        return plan.planned(platform, branches, found.plugin, home, question)
    return preview.shown(platform, app, found.plugin, question)


def _laid_out(question: dict[str, Any], folder: Path) -> Path:
    """The plugin's folder as it would be: its present files where there are any, with the design's text."""
    home = folder / str(question["name"])
    if question["folder"]:
        shutil.copytree(question["folder"], home, ignore=shutil.ignore_patterns("__pycache__", ".*"), symlinks=True)
    home.mkdir(exist_ok=True)
    (home / "plugin.yaml").unlink(missing_ok=True)  # it may be a link to the real one
    (home / "plugin.yaml").write_text(question["text"], "utf-8")
    sys.path.insert(0, str(folder))
    return home


if __name__ == "__main__":
    main(int(sys.argv[1]))
