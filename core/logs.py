"""Structured logs: JSON lines on standard error, or plain text on a terminal.

Secrets are masked by the name of what holds them, at any depth, and by their form in any text: passwords in URLs,
bearer tokens, JWTs. What people wrote (prompts, bodies) is cut to 50 characters, whatever is long to 2,000.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import Any

import structlog

SECRET = re.compile(
    r"passw|passphrase|secret|token|authorization|cookie|api[-_]?key|private|credential|signature|csrf|recovery|otp\b",
    re.IGNORECASE,
)
WRITTEN = re.compile(r"prompt|completion|message_body|\b(body|content|text|query|input)\b", re.IGNORECASE)
PATTERNS = (
    (re.compile(r"(://[^:/@\s]*:)[^@\s]+@"), r"\1•••@"),
    (re.compile(r"\b(Bearer|Basic)\s+[\w.~+/=-]+", re.IGNORECASE), r"\1 •••"),
    (re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]*"), "•••"),
    (
        re.compile(r"\b((?:\w*(?:password|secret|token|api_key))[\"']?\s*[=:]\s*[\"']?)[^\s\"',&;}]+", re.IGNORECASE),
        r"\1•••",
    ),
)
HARMLESS = re.compile(r"[\w./<>-]*")  # none of PATTERNS but the JWT's finds anything in such a text
MASK = "•••"
SHORT, LONG, DEEP = 50, 2000, 6


def configure(level: str = "INFO", *, process: str = "") -> None:
    """Set up logging for this process; ``process`` names it in every line."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        lambda _logger, _name, event: {**event, **({"process": process} if process else {})},
        mask,
    ]
    last = structlog.dev.ConsoleRenderer() if sys.stderr.isatty() else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            _mask_traceback,
            last,
        ],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for noisy in ("flask_appbuilder", "alembic", "gunicorn.access", "dramatiq"):
        logging.getLogger(noisy).setLevel("WARNING")


def mask(_logger: Any, _name: str, event: Any) -> Any:
    """Hide what is secret and cut what is long, before anything is written."""
    for key, value in event.items():
        event[key] = _masked(key, value, 0)
    return event


@lru_cache(maxsize=1024)
def _kind(key: str) -> tuple[bool, int]:
    """Whether what ``key`` names is secret, and how long a text under it may be."""
    return bool(SECRET.search(key)), SHORT if WRITTEN.search(key) else LONG


def scrub(text: str) -> str:
    """``text`` without the secrets that can be told by their form."""
    if HARMLESS.fullmatch(text) and "eyJ" not in text:
        return text
    for pattern, shown in PATTERNS:
        text = pattern.sub(shown, text)
    return text


def _masked(key: str, value: Any, depth: int) -> Any:
    secret, longest = _kind(key)
    if secret and value is not None and not isinstance(value, bool):
        return MASK
    if isinstance(value, str):
        return _cut(scrub(value), longest)
    if depth >= DEEP:
        return MASK
    if isinstance(value, Mapping):
        return {str(name): _masked(str(name), item, depth + 1) for name, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)) and key != "positional_args":
        return [_masked(key, item, depth + 1) for item in value]
    return value


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[:most] + "…"


def _mask_traceback(_logger: Any, _name: str, event: Any) -> Any:
    """Tracebacks name values too; they are written after ``mask`` has run."""
    if isinstance(event.get("exception"), str):
        event["exception"] = scrub(event["exception"])
    return event


def address(ip: str | None, kept: str) -> str | None:
    """``ip`` as the setting ``log_addresses`` wants it: full, truncated to its /24 or /48, or not at all."""
    if ip is None or kept == "none":
        return None
    if kept == "full":
        return ip
    try:
        parsed = ip_address(ip)
    except ValueError:
        return None
    return str(ip_network((parsed, 24 if parsed.version == 4 else 48), strict=False).network_address)
