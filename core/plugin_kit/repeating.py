"""Whether a second delivery of an event leaves what the first one did."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress

from sqlalchemy import select

from core import settings
from core.actor import Actor
from core.errors import Invalid
from core.events.models import EventRow
from core.events.publish import publish
from core.platform import Platform
from core.plugin_kit import outside, samples
from core.plugin_kit.finding import Finding
from core.plugin_kit.people import made
from core.plugin_kit.redelivery import drain, keep_inside

ACTOR = Actor.system("plugin check")
# Settings of this name are taken for addresses of what is outside.
ADDRESS = re.compile(r"(^|_)(url|address|endpoint|webhook)(_|$)")
WHERE = ", with a receiver for the outside that answers 200 and {}"


def examine(platform: Platform, names: Iterable[str]) -> Iterator[Finding]:
    """Make what there can be of each plugin's records and of the events it listens to, and deliver all of it twice.

    What external subscribers call is led to a receiver on this machine where a setting names the address, and refused
    elsewhere.
    """
    with outside.receiver() as address:
        _lead(platform, list(names), address)
        yield from _examine(platform, list(names))


def _lead(platform: Platform, wanted: list[str], address: str) -> None:
    """Let the plugins that have external subscribers call ``address``, and nobody else's be called."""
    external = {name: one for name, one in platform.registry.subscribers.items() if one.kind == "external"}
    keep_inside(platform, [name for name in external if name.partition(".")[0] not in wanted])
    for plugin in sorted({name.partition(".")[0] for name in external} & set(wanted)):
        kind = platform.registry.plugins[plugin].settings
        if kind is None:
            continue
        for setting in filter(ADDRESS.search, kind.model_fields):
            with suppress(Invalid), platform.unit_of_work(ACTOR) as session:
                settings.write(session, ACTOR, kind, {setting: address})


def _examine(platform: Platform, wanted: list[str]) -> Iterator[Finding]:
    registry = platform.registry
    with platform.unit_of_work(ACTOR) as session:
        member_id = made(session).id
    sources = {one.event_name.partition(".")[0] for name in wanted for one in registry.plugins[name].subscribers}
    for bound in registry.resources.values():
        if "create" in bound.resource.actions and bound.plugin in {*wanted, *sources} - {"core"}:
            try:
                with platform.unit_of_work(ACTOR) as session:
                    samples.record(session, ACTOR, bound, member_id)
            except Exception as problem:
                if bound.plugin in wanted:
                    what = f"No example of {bound.key} could be made ({_first(problem)}); its events are made up."
                    yield Finding(bound.plugin, "NOT_TRIED", what, wrong=False)
    mine = {f"{name}.{one.name}": one for name in wanted for one in registry.plugins[name].subscribers}
    for event_name in sorted({one.event_name for one in mine.values()}):
        _happen(platform, event_name, member_id)
    with outside.wall():
        drained = drain(platform, twice=True, only=mine.__contains__)
    for subscriber, error in drained.failed.items():
        if subscriber in mine:
            where = WHERE if mine[subscriber].kind == "external" else ""
            said = (error.splitlines() or [""])[0]
            what = f"{subscriber} raised at a made-up event{where} ({said}): prove by a test of yours"
            yield Finding(subscriber.split(".")[0], "NOT_TRIED", f"{what}, events.drain(twice=True).", wrong=False)
    for subscriber, tables in drained.changed.items():
        what = f"A second delivery to {subscriber} changes {', '.join(tables)}: let a unique key decide"
        yield Finding(subscriber.split(".")[0], "NOT_IDEMPOTENT", f"{what}, such as one made of the event's id.")


def _happen(platform: Platform, name: str, member_id: object) -> None:
    """Publish an event that has not happened yet, where one can be made up."""
    kind = platform.registry.events.get(name)
    if kind is None:
        return
    with platform.unit_of_work(ACTOR) as session:
        if session.scalar(select(EventRow.id).where(EventRow.name == name).limit(1)) is None:
            try:
                event = samples.event(kind, member_id)  # type: ignore[arg-type]
            except ValueError:
                return
            publish(session, ACTOR, event)


def _first(problem: Exception) -> str:
    return f"{type(problem).__name__}: {str(problem).partition(chr(10))[0]}"
