"""A TypeScript client generated from the API description: tsc accepts it, and it talks to the running server."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from werkzeug.serving import make_server

from core.actor import Actor
from core.members.service import register
from core.platform import Platform
from tests.core.doors import Person

SOURCE = Path(__file__).parent / "typescript"
PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the client's source and its packages; nothing of them lands in the repository."""
    if not shutil.which("npm") or not shutil.which("node"):
        pytest.skip("node and npm are missing")
    folder = tmp_path_factory.mktemp("typescript")
    for file in SOURCE.iterdir():
        if file.is_file():
            shutil.copy(file, folder)
    done = subprocess.run(
        ["npm", "ci", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        pytest.skip(f"the npm registry cannot be used: {(done.stderr or done.stdout).strip()[-200:]}")
    return folder


@pytest.fixture
def server(web: Flask) -> Iterator[str]:
    running = make_server("127.0.0.1", 0, web, threaded=True)
    thread = threading.Thread(target=running.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{running.server_port}"
    running.shutdown()
    thread.join()


def test_the_generated_client_compiles_and_works(
    packages: Path, site: Platform, people: Callable[..., Person], server: str
) -> None:
    document: Any = people().get("/api/v1/openapi.json").json
    (packages / "openapi.json").write_text(json.dumps(document))
    binaries = packages / "node_modules" / ".bin"
    run(packages, binaries / "openapi-typescript", "openapi.json", "--output", "schema.d.ts")
    run(packages, binaries / "tsc")

    actor = Actor.system("test")
    email = "typescript@example.org"
    with site.unit_of_work(actor) as session:
        register(session, actor, email=email, password=PASSWORD, display_name="Tess", roles=("Admin",))
    told = run(packages, "node", "out/client.js", BASE_URL=server, EMAIL=email, PASSWORD=PASSWORD)
    assert json.loads(told) == {"name": "Tess", "assets": 2, "next": True, "refused": "INVALID_CREDENTIALS"}


def run(folder: Path, *command: str | Path, **env: str) -> str:
    done = subprocess.run(
        list(map(str, command)), cwd=folder, env={**os.environ, **env}, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
