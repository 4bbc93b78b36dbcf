"""Ask every route of a plugin as a stranger, as a member without a permission, as an admin, and while it is off."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from flask import Flask

from core import lifecycle
from core.actor import Actor
from core.fab.views import class_name
from core.ids import new_id
from core.platform import Platform
from core.plugin_kit.finding import Finding
from core.plugin_kit.people import Person, person, stranger
from core.resources.resource import READ, BoundResource


@dataclass(frozen=True)
class Route:
    """One address of a plugin, and who may use it: a permission, ``signed_in``, ``public``, or "" for a generated page.

    ``own`` says that members reach records of their own without a permission, ``fixed`` that it names no record;
    ``path`` is ``rule`` with made-up keys.
    """

    plugin: str
    method: str
    rule: str
    path: str
    access: str
    own: bool
    fixed: bool

    def __str__(self) -> str:
        return f"{self.method} {self.rule}"

    @property
    def api(self) -> bool:
        return self.path.startswith("/api/")

    @property
    def guarded(self) -> bool:
        """Whether who holds no permission is refused."""
        return not self.own and self.access not in ("public", "signed_in")


def routes(app: Flask, platform: Platform, names: Iterable[str]) -> list[Route]:
    """One bare request for each route and method of these plugins."""
    wanted = set(names)
    owners: dict[str, str] = app.extensions["guildhall.owners"]
    views = {class_name(bound): bound for bound in platform.registry.resources.values()}
    found = []
    for rule in app.url_map.iter_rules():
        blueprint, _, view_name = rule.endpoint.rpartition(".")
        owner = owners.get(blueprint, "")
        if owner not in wanted or view_name == "static":
            continue
        view = app.view_functions[rule.endpoint]
        access = str(getattr(view, "access", ""))
        bound = views.get(blueprint) or _generated(platform, blueprint, rule.rule)
        own = bool(bound and bound.resource.owner) and _reads(bound, blueprint, view_name, access)
        reading = blueprint.endswith("_resources") and access == "signed_in"  # asks by itself, once it knows whose
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            asked = "" if reading and method == "GET" else access
            found.append(Route(owner, method, rule.rule, _filled(rule.rule), asked, own, "<" not in rule.rule))
    return found


def _generated(platform: Platform, blueprint: str, rule: str) -> BoundResource | None:
    """The resource that a generated REST route is of."""
    for bound in platform.registry.resources.values():
        base = f"/api/v1/{bound.plugin.replace('_', '-')}/{bound.path}"
        if blueprint == f"{bound.plugin}_resources" and f"{rule}/".startswith(f"{base}/"):
            return bound
    return None


def _reads(bound: BoundResource | None, blueprint: str, view_name: str, access: str) -> bool:
    assert bound is not None
    return access == "signed_in" if blueprint.endswith("_resources") else view_name in READ


def _filled(rule: str) -> str:
    path = re.sub(r"<uuid:\w+>|<key>|<pk>", str(new_id()), rule)
    path = re.sub(r"<(int|float):\w+>", "1", re.sub(r"<path:\w+>", "missing.css", path))
    return re.sub(r"<[^>]+>", "x", path)


def examine(app: Flask, platform: Platform, names: Iterable[str]) -> Iterator[Finding]:
    """Who is let in where they must not be, and what breaks when it is asked without anything."""
    wanted = list(names)
    every = routes(app, platform, wanted)
    nobody, member, admin = stranger(app, platform), person(app, platform), person(app, platform, roles=["Admin"])
    for route in every:
        yield from _broken(route, answer := _ask(nobody, route), "a stranger")
        if route.access != "public" and not _turned_away(route, answer):
            what = f"{route} answers a stranger {answer.status_code} instead of asking to sign in"
            yield _finding(route, "ROUTE_OPEN", f"{what}: say permission=, signed_in= or public= where it is declared.")
        yield from _broken(route, answer := _ask(member, route), "a member without any permission")
        if route.guarded and answer.status_code != 403:
            what = f"{route} answers a member without any permission {answer.status_code} instead of 403"
            yield _finding(route, "ROUTE_UNGUARDED", f"{what}: declare it with permission=.")
        if route.access.count(":") == 2 and route.access not in platform.registry.permissions:
            what = f"{route} takes {route.access}, which nothing declares: add a Permission to the manifest."
            yield _finding(route, "PERMISSION_UNKNOWN", what)
        yield from _broken(route, _ask(admin, route), "an admin")
    yield from _off(platform, wanted, every, admin)


def _ask(who: Person, route: Route) -> Any:
    headers = {}
    if who.member is None and not route.api and route.method != "GET":
        headers = {"X-CSRFToken": who.csrf}
    return who.open(route.method, route.path, headers=headers)


def _turned_away(route: Route, answer: Any) -> bool:
    if route.api:
        return bool(answer.status_code == 401)
    return answer.status_code == 302 and str(answer.location).startswith("/login")


def _broken(route: Route, answer: Any, who: str) -> Iterator[Finding]:
    if answer.status_code >= 500:
        what = f"{route} breaks ({answer.status_code}) when {who} asks it without anything"
        yield _finding(route, "ROUTE_BREAKS", f"{what}: refuse by a DomainError what cannot be carried out.")


def _off(platform: Platform, wanted: list[str], every: list[Route], admin: Person) -> Iterator[Finding]:
    """Turn all of them off, those that build on them too, and on again."""
    order = [name for name in platform.registry.plugins if name != "core"]
    for name in reversed(order):
        switch(platform, name, False)
    for route in every:
        if (status := _ask(admin, route).status_code) != 404:
            what = f"{route} answers {status} while the plugin is off, instead of 404"
            yield _finding(route, "ROUTE_STAYS", f"{what}: declare it on the plugin's RestBlueprint or PageBlueprint.")
    for name in order:
        switch(platform, name, True)


def switch(platform: Platform, name: str, on: bool) -> None:
    """Turn a plugin on or off, seen at once."""
    actor = Actor.system("plugin kit")
    with platform.unit_of_work(actor) as session:
        lifecycle.set_enabled(session, actor, name, on)
    platform.registry.cache.looked_at = float("-inf")


def _finding(route: Route, code: str, sentence: str) -> Finding:
    return Finding(route.plugin, code, sentence)
