"""The whole of Guildhall as a newcomer starts it: `guildhall run` on engines of its own, with the demo community."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.post_office import PostOffice, post_office

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 240.0


def wait_for(what: str, found: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    """Ask again until ``found()`` is true; fails with ``what`` when it never is."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if result := found():
            return result
        time.sleep(0.2)
    raise AssertionError(f"waited {seconds:.0f} s for {what}")


@dataclass
class Running:
    """A Guildhall that runs: its address, its first admin, its command line."""

    url: str
    home: Path
    environment: dict[str, str]
    log: Path
    process: subprocess.Popen[bytes]
    password: str = ""
    email: str = "admin@example.org"
    headers: dict[str, str] = field(default_factory=dict)

    def command(self, *words: str, ok: bool = True) -> str:
        """Run ``guildhall <words>`` beside it and return what it prints."""
        done = subprocess.run(
            [sys.executable, "-m", "app", *words], cwd=ROOT, env=self.environment, capture_output=True, text=True
        )
        assert not ok or done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Call REST as the admin; a token that is over, or proves nobody afresh, is exchanged for another."""
        given = options.pop("headers", {})
        answer = httpx.request(method, self.url + path, headers={**self.headers, **given}, timeout=30, **options)
        if answer.status_code == 401 or "STEP_UP_REQUIRED" in answer.text:
            sign_in(self)
            answer = httpx.request(method, self.url + path, headers={**self.headers, **given}, timeout=30, **options)
        return answer

    def data(self, path: str) -> Any:
        answer = self.call("GET", path)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    def pids(self, name: str) -> list[int]:
        """Process ids of one of its children: web, worker, scheduler."""
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
                home = (entry / "environ").read_bytes()
            except OSError:
                continue
            if words[1:4] == [b"-m", b"app", name.encode()] and str(self.home).encode() in home:
                found.append(int(entry.name))
        return found


def start(home: Path, **settings: str) -> Running:
    """Start it and wait until it serves."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GUILDHALL_")}
    environment |= {"GUILDHALL_HOME": str(home), "PORT": str(port), "PYTHONUNBUFFERED": "1", **settings}
    log = home / "run.log"
    home.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "app", "run"], cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT
        )
    running = Running(f"http://127.0.0.1:{port}", home, environment, log, process)

    def ready() -> bool:
        assert process.poll() is None, log.read_text()
        try:
            return httpx.get(running.url + "/health/ready", timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    wait_for("the first page", ready)
    if printed := re.search(r"^  password\s+(\S+)", log.read_text(), re.MULTILINE):
        running.password = printed.group(1)
    return running


def stop(running: Running) -> None:
    running.process.send_signal(signal.SIGINT)
    try:
        running.process.wait(60)
    except subprocess.TimeoutExpired:
        running.process.kill()
        running.process.wait()


def sign_in(running: Running) -> None:
    answer = httpx.post(
        running.url + "/api/v1/core/auth/login", json={"email": running.email, "password": running.password}, timeout=30
    )
    assert answer.status_code == 200, answer.text
    running.headers = {"Authorization": f"Bearer {answer.json()['data']['access_token']}"}


@pytest.fixture(scope="session")
def mail() -> Iterator[PostOffice]:
    """The mail server of that Guildhall."""
    with post_office() as office:
        yield office


@pytest.fixture(scope="session")
def guildhall(mail: PostOffice) -> Iterator[Running]:
    """One Guildhall with the demo community, for all tests here; the deliveries of the demo are done."""
    home = Path(tempfile.mkdtemp(prefix="guildhall-e2e-"))
    patient = {"GUILDHALL_SETTING_CORE__RATE_MEMBER": "100000"}  # all the stories have one admin
    running = start(home, DEMO="true", GUILDHALL_SMTP_URL=mail.url, **patient)
    try:
        sign_in(running)
        yield running
    finally:
        stop(running)
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """Debian's Chromium under Playwright; skipped with the reason where there is none."""
    path = next((found for name in ("chromium", "chromium-browser") if (found := shutil.which(name))), None)
    if path is None:
        if os.environ.get("GUILDHALL_REQUIRE_BROWSER"):
            pytest.fail("Chromium is required here and not installed")
        pytest.skip("Chromium is not installed")
    from playwright.sync_api import sync_playwright

    quiet = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-quic"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, args=[*quiet, "--disable-component-update", "--disable-sync"]
        )
        yield browser
        browser.close()
