"""How long our own modules take to import above what they depend on, and a second `guildhall run` to its first page."""

from __future__ import annotations

import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from sqlalchemy import Engine, event

from bench.cluster import Cluster, scratch
from bench.figures import ROUNDS, Figure
from config import Config
from core.platform import Platform

DISK = False
ROOT = Path(__file__).resolve().parent.parent
IMPORT_LIMIT, PAGE_LIMIT = 0.5, 5.0  # s
BOOT_LIMIT = 12  # statements
PATIENCE = 90  # seconds
# Everything that a web process imports before it serves.
OWN = """
import gc, json, sys, time
gc.disable()  # as core.heap.loading has it while a process loads; alike below
began = time.perf_counter()
import app
import core.admin.account, core.admin.shell, core.admin.site, core.fab.wall, core.gateway.headers, core.rest.openapi
from config import Config
from core.loader import load
from core.manifest import core as manifest
registry, found = load(Config(secret_key="x"), manifest)
seconds, cpu = time.perf_counter() - began, time.process_time()
assert all(one.plugin for one in found), found
ours = {"__main__", "app", "config", "core", "guildhall", "plugins"}
print(json.dumps([seconds, cpu, [name for name in sys.modules if name.split(".")[0] not in ours]]))
"""
THEIRS = """
import contextlib, gc, importlib, json, sys, time
gc.disable()
names = json.load(sys.stdin)
began = time.perf_counter()
for name in names:
    with contextlib.suppress(ImportError):
        importlib.import_module(name)
print(json.dumps([time.perf_counter() - began, time.process_time()]))
"""


def measure(cluster: Cluster, notes: list[str]) -> list[Figure]:
    above, cpu, whole = _imports()
    notes.append(
        f"startup: own imports take {above:.2f} s, of which the processor works {cpu:.2f} s (the rest is"
        f" waiting for a core or the disk); with the dependencies {whole:.2f} s."
    )
    return [
        Figure(figure="own import time", value=above, unit="s", limit=IMPORT_LIMIT, target=1, at_most=True),
        Figure(
            figure="second `guildhall run` to its first page", value=_second_run(), unit="s", limit=PAGE_LIMIT,
            target=1, at_most=True,
        ),
        Figure(
            figure="statements of a boot, warm database", value=_boot(cluster), unit="", limit=BOOT_LIMIT, target=1,
            at_most=True,
        ),
    ]  # fmt: skip


def _boot(cluster: Cluster) -> int:
    with cluster.platform(cluster.create("bench_boot")) as first:
        first.upgrade()
        return len(statements_of_boot(first.config, first.database.url))


def statements_of_boot(config: Config, url: str) -> list[str]:
    """The SQL of one more start on a database that has been started on: migrations, permissions, states, seeds."""
    platform = Platform(config, url, None)
    sent: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        sent.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        platform.upgrade()
    finally:
        event.remove(Engine, "before_cursor_execute", note)
        platform.database.dispose()
    return sent


def _imports() -> tuple[float, float, float]:
    """Seconds and processor seconds above the dependencies, and seconds altogether.

    Medians of interleaved pairs, each in a fresh process.
    """
    _python(OWN)  # compiles what is not compiled yet
    above, cpu, whole = [], [], []
    for _ in range(ROUNDS):
        seconds, worked, names = json.loads(_python(OWN))
        theirs, theirs_worked = json.loads(_python(THEIRS, json.dumps(names)))
        above.append(seconds - theirs)
        cpu.append(worked - theirs_worked)
        whole.append(seconds)
    return statistics.median(above), statistics.median(cpu), statistics.median(whole)


def _environment(**more: str) -> dict[str, str]:
    return {**{key: value for key, value in os.environ.items() if not key.startswith("GUILDHALL_")}, **more}


def _python(code: str, given: str = "") -> str:
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command, input=given, capture_output=True, text=True, cwd=ROOT, env=_environment(), check=False
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    return done.stdout


def _second_run() -> float:
    with scratch() as home:
        _run(home)
        return _run(home)


def _run(home: Path) -> float:
    """Seconds from the command to the sign-in page."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    env = _environment(GUILDHALL_HOME=str(home), GUILDHALL_PORT=str(port), GUILDHALL_DEMO="false")
    with (home / "run.log").open("ab") as log:
        began = time.perf_counter()
        process = subprocess.Popen([sys.executable, "-m", "app", "run"], cwd=ROOT, env=env, stdout=log, stderr=log)
        try:
            while not _answers(f"http://127.0.0.1:{port}/login"):
                if process.poll() is not None or time.perf_counter() - began > PATIENCE:
                    raise RuntimeError(f"`guildhall run` shows no page: {(home / 'run.log').read_text()[-2000:]}")
                time.sleep(0.02)
            return time.perf_counter() - began
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(PATIENCE)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False
