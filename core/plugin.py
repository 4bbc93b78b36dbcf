"""The manifest: one frozen object that says everything a plugin brings.

A registered thing is data. The loader checks all of it before anything runs; importing a plugin has no effect.
``docs/contract.md`` explains each field with its default and when it is not used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from core.actor import Actor
from core.events.event import Event, Subscriber
from core.jobs.job import Job, Schedule
from core.resource import Resource
from core.settings import Settings

if TYPE_CHECKING:
    import click
    from flask import Blueprint
    from sqlalchemy.orm import Session

ACTIONS = ("list", "show", "create", "update", "delete")


@dataclass(frozen=True)
class Permission:
    """A permission ``plugin:resource:action`` that no Resource declares by itself, with its label."""

    name: str
    label: str


@dataclass(frozen=True)
class Role:
    """What a role may do with this plugin: permission names; ``*`` as the action means all of a resource."""

    name: str
    permissions: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class MenuItem:
    """An entry of the sidebar, under the plugin's section; shown to who holds ``permission``."""

    label: str
    url: str
    icon: str
    permission: str
    order: int = 100


@dataclass(frozen=True, kw_only=True)
class Widget:
    """A card of the dashboard. ``load(session)`` returns what ``template`` shows; each loads on its own.

    ``size`` is one of ``kpi``, ``half``, ``full``. Not loaded while the plugin is disabled.
    """

    name: str
    title: str
    permission: str
    load: Callable[[Session], Mapping[str, Any]]
    template: str
    size: str = "half"
    order: int = 100


@dataclass(frozen=True, kw_only=True)
class HealthCheck:
    """Part of ``/health/ready``. ``check(session)`` returns a sentence when something is wrong, else None."""

    name: str
    check: Callable[[Session], str | None]


@dataclass(frozen=True, kw_only=True)
class Gauge:
    """A figure of ``/metrics``: ``read(session)`` returns the value, or a mapping of label value to value."""

    name: str
    help: str
    read: Callable[[Session], float | Mapping[str, float]]
    label: str | None = None


@dataclass(frozen=True)
class Plugin:
    """A plugin's manifest. ``name`` is its slug: table prefix, URL segment, permission prefix, branch label."""

    name: str
    version: str
    label: str
    description: str = ""
    icon: str = "puzzle"
    requires: Mapping[str, str] = field(default_factory=dict)
    settings: type[Settings] | None = None
    resources: Sequence[Resource] = ()
    permissions: Sequence[Permission] = ()
    roles: Sequence[Role] = ()
    events: Sequence[type[Event]] = ()
    subscribers: Sequence[Subscriber] = ()
    jobs: Sequence[Job] = ()
    schedules: Sequence[Schedule] = ()
    rest: Blueprint | None = None
    pages: Blueprint | None = None
    menu: Sequence[MenuItem] = ()
    widgets: Sequence[Widget] = ()
    commands: Sequence[click.Command] = ()
    health_checks: Sequence[HealthCheck] = ()
    gauges: Sequence[Gauge] = ()
    hookspecs: Any = None
    hooks: Any = None
    seed: Callable[[Session, Actor], None] | None = None

    @property
    def path(self) -> str:
        """The plugin's URL segment."""
        return self.name.replace("_", "-")


__all__ = [
    "ACTIONS",
    "Gauge",
    "HealthCheck",
    "Job",
    "MenuItem",
    "Permission",
    "Plugin",
    "Resource",
    "Role",
    "Schedule",
    "Subscriber",
    "Widget",
]
