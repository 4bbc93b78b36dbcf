"""Import plugins and see whether that did anything: run as ``python -m core.plugin_kit.effects``.

What it is given comes as JSON on standard input (``plugin_path``, ``names``), what it found leaves as JSON lines. An
effect counts for the plugin whose file stands innermost on the way to it; a library that it imports counts, at the line
of the import.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable, Iterator
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

from core.plugin_kit.finding import Finding

SECONDS = 60.0
ROOT = Path(__file__).resolve().parents[2]
FILES = {
    *("os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.truncate", "os.chmod", "os.chown", "os.link", "os.symlink"),
    *("tempfile.mkstemp", "tempfile.mkdtemp", "shutil.rmtree", "shutil.copyfile", "os.chdir"),
}
NETWORK = {"socket.connect", "socket.bind", "socket.getaddrinfo", "socket.sendto", "socket.gethostbyname"}
PROCESSES = {"subprocess.Popen", "os.system", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.kill"}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
WORDS = {
    "file": "writes to the disk",
    "network": "uses the network",
    "process": "starts or stops a process",
    "thread": "starts a thread",
    "environment": "changes the environment",
    "database": "connects to a database",
    "output": "prints",
}


def examine(names: Iterable[str], plugin_path: str) -> Iterator[Finding]:
    """Import in a process of its own, and tell what the import did beside making definitions."""
    wanted = list(names)
    given = json.dumps({"names": wanted, "plugin_path": plugin_path})
    command, environment = module("core.plugin_kit.effects")
    try:
        done = subprocess.run(
            command, input=given, capture_output=True, text=True, timeout=SECONDS, env=environment, check=False
        )
    except subprocess.TimeoutExpired:
        what = f"Importing takes longer than {SECONDS:g} seconds: move what waits into functions."
        for name in wanted:
            yield Finding(name, "IMPORT_EFFECT", what, "plugin.py")
        return
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it ended without a word"])[-1]
        for name in wanted:
            yield Finding(name, "IMPORT_EFFECT", f"Importing it ended the process ({last}).", "plugin.py")
        return
    for line in done.stdout.splitlines():
        if line.startswith("{"):
            yield Finding(**json.loads(line))


def module(name: str) -> tuple[list[str], dict[str, str]]:
    """Command and environment that run one of our modules, whatever the folder one stands in has of the same name."""
    path = [str(ROOT), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path), "PYTHONDONTWRITEBYTECODE": "1"}
    return [sys.executable, "-P", "-m", name], environment


class Watch:
    """Notes what happens while a file of one of ``folders`` (by plugin) is on the stack."""

    def __init__(self, folders: dict[str, str]) -> None:
        self.folders = folders
        self.seen: dict[tuple[str, str, int, str], str] = {}
        self.on = False

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.on:
            return
        kind, what = _kind(event, arguments)
        if kind:
            self.note(kind, what)

    def note(self, kind: str, what: str) -> None:
        frame = sys._getframe(1)
        while frame is not None:
            file = frame.f_code.co_filename
            for name, folder in self.folders.items():
                if file.startswith(folder):
                    key = (name, os.path.relpath(file, folder), frame.f_lineno, kind)
                    self.seen.setdefault(key, what)
                    return
            frame = frame.f_back  # type: ignore[assignment]


def _kind(event: str, arguments: tuple[Any, ...]) -> tuple[str, str]:
    if event == "open":
        path, _mode, flags = arguments
        writes = isinstance(flags, int) and flags & WRITING and str(path) != os.devnull
        return ("file", str(path)) if writes else ("", "")
    if event in FILES:
        return "file", str(arguments[0])
    if event in NETWORK:
        return "network", event
    if event in PROCESSES:
        return "process", str(arguments[0] if arguments else "")
    if event in ("os.putenv", "os.unsetenv"):
        return "environment", os.fsdecode(arguments[0])
    if event == "sqlite3.connect":
        return "database", str(arguments[0])
    return "", ""


def main() -> None:
    """The child: load everything as a start does, and watch."""
    given = json.loads(sys.stdin.read())
    from sqlalchemy import Engine
    from sqlalchemy import event as sqlalchemy_event

    from core.loader import discover, load
    from core.manifest import core
    from core.plugin_kit.throwaway import config_of

    with tempfile.TemporaryDirectory() as home:
        config = config_of(home=Path(home), plugin_path=given["plugin_path"])
        folders = {one.name: _folder(one) for one in discover(config)}
        wanted = set(given["names"])
        watch = Watch({name: folder for name, folder in folders.items() if folder and name in wanted})

        @sqlalchemy_event.listens_for(Engine, "do_connect")
        def _connecting(*_arguments: Any) -> None:
            watch.note("database", "an engine")

        sys.addaudithook(watch)
        _watch_threads(watch)
        printed = _Told(watch)
        with redirect_stdout(printed):
            watch.on = True
            load(config, core)
            watch.on = False
    for (name, file, line, kind), what in sorted(watch.seen.items()):
        sentence = f"Importing it {WORDS[kind]} ({what}): move that into a function, a job or `seed`."
        print(json.dumps(Finding(name, "IMPORT_EFFECT", sentence, file, line).as_json()))


def _watch_threads(watch: Watch) -> None:
    """Python tells an audit hook of threads from 3.12 on only; this process is there to look and ends afterwards."""
    start = threading.Thread.start

    def noted(thread: threading.Thread) -> None:
        if watch.on:
            watch.note("thread", thread.name)
        start(thread)

    threading.Thread.start = noted  # type: ignore[method-assign,assignment]


class _Told(StringIO):
    """Notes who prints."""

    def __init__(self, watch: Watch) -> None:
        super().__init__()
        self._watch = watch

    def write(self, text: str) -> int:
        if text.strip():
            self._watch.note("output", text.strip()[:60])
        return len(text)


def _folder(one: Any) -> str:
    """The folder of a plugin with its separator, also of one that is installed and was not imported yet."""
    if one.folder:
        return str(Path(one.folder).resolve()) + os.sep
    import importlib.util

    spec = importlib.util.find_spec(one.package.split(".")[0])
    places = list(spec.submodule_search_locations or ()) if spec else []
    return str(Path(places[0], *one.package.split(".")[1:]).resolve()) + os.sep if places else ""


if __name__ == "__main__":
    main()
