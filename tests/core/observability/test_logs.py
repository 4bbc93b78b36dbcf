"""Log lines: complete, correlated, and without a secret, whoever writes them."""

from __future__ import annotations

import io
import json
import logging
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any

import pytest
import structlog
import yaml

from core import logs
from tests.core.doors import Person
from tests.core.observability.beacon import troubles

ROOT = Path(__file__).resolve().parents[3]
HIDDEN = "hunter2-very-hidden"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJodW50ZXIyLXZlcnktaGlkZGVuIn0.c2lnbmF0dXJl"


def forget_configurations() -> None:
    """A logger that was used once keeps the configuration of that time; let the next use ask anew."""
    for name, module in list(sys.modules.items()):
        log = getattr(module, "log", None) if name.startswith(("core.", "plugins.", "tests.")) else None
        if log is not None:
            vars(log).pop("bind", None)


class Lines:
    """Logs as a process does; called, it answers the lines written since the last time."""

    def __init__(self) -> None:
        self.written = io.StringIO()
        self.configure("INFO")

    def configure(self, level: str) -> None:
        with redirect_stderr(self.written):
            logs.configure(level, process="test")
        forget_configurations()

    def __call__(self) -> list[dict[str, Any]]:
        found = [json.loads(line) for line in self.written.getvalue().splitlines()]
        self.written.seek(0)
        self.written.truncate()
        return found


@pytest.fixture
def lines() -> Iterator[Lines]:
    root = logging.getLogger()
    before, handlers, level = structlog.get_config(), root.handlers, root.level
    yield Lines()
    root.handlers, root.level = handlers, level
    structlog.configure(**before)
    forget_configurations()


SECRET_NAMES = """
password old_password passphrase secret client_secret token access_token refresh_token csrf_token authorization
Authorization cookie Set-Cookie api_key x-api-key private_key credentials signature recovery_codes otp
"""


@pytest.mark.parametrize("name", SECRET_NAMES.split())
def test_what_is_called_a_secret_is_hidden_at_any_depth(lines: Any, name: str) -> None:
    structlog.get_logger("a").info("x", **{name: HIDDEN}, deep={"a": [{name: HIDDEN}], "b": {name: [HIDDEN]}})
    logging.getLogger("b").warning("plain", extra={name: HIDDEN})
    assert HIDDEN not in json.dumps(lines())


@pytest.mark.parametrize(
    "text",
    [
        f"postgresql://guildhall:{HIDDEN}@db/guildhall",
        f"redis://:{HIDDEN}@cache:6379/0",
        f"smtp://someone:{HIDDEN}@mail:587",
        f"Authorization: Bearer {HIDDEN}",
        f"Basic {HIDDEN}",
        f"the token is {JWT} here",
        f"/callback?state=1&access_token={HIDDEN}&x=2",
        f'{{"password": "{HIDDEN}"}}',
        f"password={HIDDEN}",
    ],
)
def test_what_looks_like_a_secret_is_hidden_in_any_text(lines: Any, text: str) -> None:
    log = structlog.get_logger("a")
    log.info(text, told=text, deep={"told": [text]})
    logging.getLogger("b").warning("plain %s", text)
    try:
        raise RuntimeError(text)
    except RuntimeError as problem:
        log.exception("failed", error=repr(problem))
        logging.getLogger("c").exception("failed too")
    written = json.dumps(lines())
    assert HIDDEN not in written and JWT not in written
    assert "RuntimeError" in written


def test_what_people_wrote_is_cut_and_so_is_what_is_long(lines: Any) -> None:
    structlog.get_logger("a").info(
        "x", prompt="p" * 400, body="b" * 400, deep={"system_prompt": "s" * 400}, other="o" * 9000
    )
    (line,) = lines()
    assert line["prompt"] == "p" * 50 + "…" and line["body"] == "b" * 50 + "…"
    assert line["deep"]["system_prompt"] == "s" * 50 + "…"
    assert line["other"] == "o" * 2000 + "…"


def test_what_is_no_secret_stays(lines: Any) -> None:
    structlog.get_logger("a").info("x", status=204, ratio=0.5, none=None, flag=True, who="Ada", items=[1, 2])
    (line,) = lines()
    assert {key: line[key] for key in ("status", "ratio", "none", "flag", "who", "items")} == {
        "status": 204, "ratio": 0.5, "none": None, "flag": True, "who": "Ada", "items": [1, 2],
    }  # fmt: skip
    assert {"event": "x", "level": "info", "logger": "a", "process": "test"}.items() <= line.items()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", line["timestamp"])


@pytest.mark.parametrize(("level", "wanted"), [("DEBUG", 3), ("INFO", 2), ("ERROR", 1)])
def test_the_level_is_a_setting(lines: Any, level: str, wanted: int) -> None:
    lines.configure(level)
    log = structlog.get_logger("a")
    log.debug("one")
    log.info("two")
    log.error("three")
    assert len(lines()) == wanted


@pytest.mark.parametrize(
    ("ip", "kept", "wanted"),
    [
        ("203.0.113.77", "truncated", "203.0.113.0"),
        ("2001:db8:1:2::77", "truncated", "2001:db8:1::"),
        ("203.0.113.77", "full", "203.0.113.77"),
        ("203.0.113.77", "none", None),
        ("no address", "truncated", None),
        (None, "full", None),
    ],
)
def test_addresses_are_kept_as_the_setting_says(ip: str | None, kept: str, wanted: str | None) -> None:
    assert logs.address(ip, kept) == wanted


def test_the_line_of_a_request_is_complete(lines: Any, people: Callable[..., Person]) -> None:
    person = people("User")
    lines()
    answer = person.get(
        f"/api/v1/core/me?token={HIDDEN}",
        environ_base={"REMOTE_ADDR": "203.0.113.77"},
        headers={"Cookie": f"sid={HIDDEN}"},
    )
    (line,) = [one for one in lines() if one["event"] == "request"]
    assert {key: line[key] for key in ("method", "route", "path", "status", "ip", "member", "request_id")} == {
        "method": "GET", "route": "/api/v1/core/me", "path": "/api/v1/core/me", "status": answer.status_code,
        "ip": "203.0.113.0", "member": person.id, "request_id": answer.headers["X-Request-ID"],
    }  # fmt: skip
    assert line["ms"] > 0 and line["correlation_id"]
    assert HIDDEN not in json.dumps(line) and person.headers["Authorization"][7:] not in json.dumps(line)


def test_workers_write_the_correlation_id_of_the_cause(lines: Any, watch: Any) -> None:
    troubles.add("report")
    lines()
    watch.light()
    watch.work()
    written = lines()
    (request,) = [one for one in written if one["event"] == "request" and one["method"] == "POST"]
    said = {one["event"]: one.get("correlation_id") for one in written}
    for event in ("looking", "reporting", "job failed"):
        assert said[event] == request["correlation_id"], event


def test_the_shipping_example_can_be_read_and_holds_no_secret() -> None:
    text = (ROOT / "deploy" / "logging" / "vector.yaml").read_text()
    example = yaml.safe_load(text)
    named = {*example["sources"], *example["transforms"]}
    for part in (*example["transforms"].values(), *example["sinks"].values()):
        assert set(part["inputs"]) <= named
    assert {sink["type"] for sink in example["sinks"].values()} == {"elasticsearch", "splunk_hec_logs"}
    for key, value in re.findall(r"(token|password): \"?([^\s\"}]+)", text):
        assert value.startswith("${"), key
