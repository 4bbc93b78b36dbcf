"""Call hooks so that one plugin's mistake costs only its own result."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from sqlalchemy.orm import Session

from core import lifecycle

log = structlog.get_logger("hooks")


def collect(session: Session, name: str, **arguments: Any) -> list[tuple[str, Any]]:
    """*Isolated* call: ``(plugin, result)`` of every enabled plugin that implements hook ``name``.

    Plugins are called in dependency order. One that raises is logged and left out, and what it wrote is rolled
    back to before its call. ``None`` is left out too.
    An implementation that does not take ``session`` can write nothing, and is called without a savepoint.
    """
    return [(plugin, result) for plugin, result, failed in attempt(session, name, **arguments) if not failed]


def attempt(session: Session, name: str, **arguments: Any) -> list[tuple[str, Any, bool]]:
    """As ``collect``, but who raised is told: ``(plugin, result, failed)``."""
    results = []
    for plugin, call, writes in _implementations(session, name, arguments):
        try:
            with _saved(session, writes):
                result = call()
        except Exception:
            log.exception("hook failed", hook=name, plugin=plugin)
            results.append((plugin, None, True))
            continue
        if result is not None:
            results.append((plugin, result, False))
    return results


def call(session: Session, name: str, **arguments: Any) -> list[tuple[str, Any]]:
    """*Strict* call: as ``collect``, but an exception goes on to the caller and ends the operation."""
    answers = [(plugin, one()) for plugin, one, _writes in _implementations(session, name, arguments)]
    return [(plugin, result) for plugin, result in answers if result is not None]


def first(session: Session, name: str, **arguments: Any) -> Any:
    """*First result* call: plugins are asked in dependency order until one answers; None when nobody does.

    One that raises is logged and the next is asked. What one that takes ``session`` wrote before it raised is
    rolled back; one that does not take it is called without a savepoint, so that it may wait for the outside.
    """
    for plugin, ask, writes in _implementations(session, name, arguments):
        try:
            with _saved(session, writes):
                result = ask()
        except Exception:
            log.exception("hook failed", hook=name, plugin=plugin)
            continue
        if result is not None:
            return result
    return None


def implemented(session: Session, name: str) -> bool:
    """Whether a plugin that is on implements hook ``name``."""
    registry, off = session.info["registry"], lifecycle.disabled(session)
    callers = getattr(registry.hooks.hook, name).get_hookimpls()
    return any(one.plugin_name in registry.plugins and one.plugin_name not in off for one in callers)


@contextmanager
def _saved(session: Session, writes: bool) -> Iterator[None]:
    """A savepoint around a call that may write."""
    if not writes:
        yield
        return
    session.flush()
    with session.begin_nested():
        yield


def _implementations(session: Session, name: str, arguments: dict[str, Any]) -> list[tuple[str, Any, bool]]:
    """Plugin, call, and whether it is given the session."""
    registry = session.info["registry"]
    arguments = {"session": session, **arguments}
    order = {plugin: position for position, plugin in enumerate(registry.plugins)}
    disabled = lifecycle.disabled(session)
    found = []
    for implementation in getattr(registry.hooks.hook, name).get_hookimpls():
        plugin = implementation.plugin_name
        if plugin in order and plugin not in disabled:
            given = [arguments[argument] for argument in implementation.argnames]
            takes = "session" in implementation.argnames
            found.append((plugin, lambda f=implementation.function, a=given: f(*a), takes))
    return sorted(found, key=lambda one: order[one[0]])
