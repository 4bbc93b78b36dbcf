"""Structured logs: JSON lines on standard error, or plain text on a terminal. Secrets are masked by name."""

from __future__ import annotations

import logging
import re
import sys
from typing import Any

import structlog

SECRET = re.compile(r"password|secret|token|authorization|cookie|api_key|private", re.IGNORECASE)
URL_PASSWORD = re.compile(r"(://[^:/@\s]+:)[^@\s]+@")


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
    """Hide values whose name says that they are secret, and passwords in URLs."""
    for key, value in event.items():
        if SECRET.search(key):
            event[key] = "•••"
        elif isinstance(value, str) and "://" in value:
            event[key] = URL_PASSWORD.sub(r"\1•••@", value)
    return event
