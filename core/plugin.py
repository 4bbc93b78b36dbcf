"""The manifest: one frozen object that says everything a plugin brings.

A registered thing is data. The loader checks all of it before anything runs; importing a plugin has no effect.
``docs/contract.md`` explains each field with its default and when it is not used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from core.actor import Actor
from core.automations.action import Action
from core.automations.suggestion import Suggestion
from core.events.event import Event, Subscriber
from core.files.upload import Upload
from core.jobs.job import Job, Schedule
from core.reports.report import Report
from core.resources.resource import Resource
from core.reviews.kind import ReviewKind
from core.settings import Settings
from core.switches.switch import Switch

if TYPE_CHECKING:
    import click
    from flask import Blueprint
    from sqlalchemy import Select
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
    """An entry of the sidebar, under the plugin's section; shown to who holds ``permission``.

    ``badge(session, actor)`` returns a query of one number, a figure beside it; none is shown when it is 0. All of
    them are asked by one statement on every page: let an index answer.
    """

    label: str
    url: str
    icon: str
    permission: str
    order: int = 100
    badge: Callable[[Session, Actor], Select[int]] | None = None


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
    """A figure of ``/metrics``: ``read(session)`` returns the value, or a mapping of label value to value.

    With several ``labels`` the keys are tuples. Label values must be few and declared: states, codes, kinds; never
    ids or what people type. Read at every scrape: keep it cheap. Not read while the plugin is disabled.
    """

    name: str
    help: str
    read: Callable[[Session], float | Mapping[str, float] | Mapping[tuple[str, ...], float]]
    labels: Sequence[str] = ()


@dataclass(frozen=True)
class Plugin:
    """A plugin's manifest.

    - ``name``: its slug: folder, table prefix, URL segment, permission and event prefix, migration branch.
    - ``version``: PEP 440; other plugins require it.
    - ``label``: what people call it; the heading of its part of the sidebar.
    - ``description``: a sentence for the plugin page.
    - ``icon``: name of an icon of the sprite.
    - ``requires``: plugins it needs, with version specifiers. It is not loaded without them, and comes after them.
    - ``settings``: a ``Settings`` class; admins get a form. Not shown while the plugin is disabled.
    - ``resources``: models with generated pages, REST, permissions, audit and events.
    - ``permissions``: further permissions that its routes and pages name.
    - ``roles``: what roles may do with it by default. Granted when a permission first appears, and never again, so
      that what an admin took away stays away. Admin has everything.
    - ``events``: event types it publishes; publishing any other raises.
    - ``subscribers``: its reactions to events. Not called while it is disabled: deliveries wait.
    - ``jobs``: kinds of background work. Not started while it is disabled.
    - ``schedules``: when jobs are started by themselves. Their turns are skipped while it is disabled.
    - ``rest``: its ``RestBlueprint``. Answers 404 while it is disabled, and is left out of the API description.
    - ``conformance``: its ``RestBlueprint`` for outside test kits. Neither registered nor described unless the boot
      setting ``conformance_routes`` asks for it.
    - ``pages``: its ``PageBlueprint``. Answers 404 while it is disabled.
    - ``public_pages``: another, ``PageBlueprint("<name>_public", url_prefix="/<name>")``, for addresses that strangers
      hold. Answers 404 while it is disabled.
    - ``uploads``: what members may send files for. Refused while it is disabled.
    - ``reviews``: kinds of cases for the review inbox. Neither shown nor decided while it is disabled: cases wait.
    - ``menu``: further entries of the sidebar; resources that can be listed have theirs already.
    - ``widgets``: cards of the dashboard.
    - ``reports``: tables of figures over a period. Neither shown nor sent while it is disabled.
    - ``actions``: what automations can do with it. Not called while it is disabled: those automations wait.
    - ``automations``: automations it suggests, each a ``Suggestion``, or the text of a YAML file as automations are
      exported, each of whose automations is one known by its name. Never installed by themselves: an admin takes over
      a copy that is off. Not offered while it is disabled; copies that were taken over stay.
    - ``switches``: what an admin can stop at once beside the whole plugin.
    - ``commands``: groups of the command line; there also while it is disabled.
    - ``health_checks``: parts of ``/health/ready``.
    - ``gauges``: figures of ``/metrics``.
    - ``hookspecs``: hooks that other plugins may implement.
    - ``hooks``: its implementations of hooks. Not called while it is disabled.
    - ``translations``: its texts in other languages where it has no catalogues: ``{"fr": {"Events": "Événements"}}``.
    - ``seed``: ``seed(session, actor)`` writes rows that must be there, after every migration; it must not overwrite
      an admin's edit. Not called when the plugin's migration failed, nor at a start on code and settings of the
      environment on which it ended well before.
    """

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
    conformance: Blueprint | None = None
    pages: Blueprint | None = None
    public_pages: Blueprint | None = None
    uploads: Sequence[Upload] = ()
    reviews: Sequence[ReviewKind] = ()
    menu: Sequence[MenuItem] = ()
    widgets: Sequence[Widget] = ()
    reports: Sequence[Report] = ()
    actions: Sequence[Action] = ()
    automations: Sequence[Suggestion | str] = ()
    switches: Sequence[Switch] = ()
    commands: Sequence[click.Command] = ()
    health_checks: Sequence[HealthCheck] = ()
    gauges: Sequence[Gauge] = ()
    hookspecs: Any = None
    hooks: Any = None
    translations: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    seed: Callable[[Session, Actor], None] | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.requires, Mapping):
            raise TypeError("requires maps a plugin's name to its versions, like {'wallet': '>=1'}")

    @property
    def path(self) -> str:
        """The plugin's URL segment."""
        return self.name.replace("_", "-")


__all__ = [
    "ACTIONS",
    "Action",
    "Gauge",
    "HealthCheck",
    "Job",
    "MenuItem",
    "Permission",
    "Plugin",
    "Report",
    "Resource",
    "ReviewKind",
    "Role",
    "Schedule",
    "Subscriber",
    "Suggestion",
    "Switch",
    "Upload",
    "Widget",
]
