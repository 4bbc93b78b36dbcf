"""What happens when a hook raises: one that may fail alone must not take a page with it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from flask import Flask

from core.contract import hooks
from core.platform import Platform
from core.plugin_kit.doors import routes
from core.plugin_kit.finding import Finding
from core.plugin_kit.people import Person, person


def examine(app: Flask, platform: Platform, names: Iterable[str]) -> Iterator[Finding]:
    """Let each isolated hook that a plugin implements, and each that it specifies, raise, and open pages meanwhile."""
    admin = person(app, platform, roles=["Admin"])
    assert admin.member is not None
    texts = {name: about["text"] for name, about in hooks(platform.registry).items()}
    specified = {name: about["plugin"] for name, about in hooks(platform.registry).items()}
    member = f"/admin/members/{admin.member.id}"
    for plugin in names:
        mine = [name for name in texts if specified[name] == plugin or _implements(platform, plugin, name)]
        alone = [name for name in mine if "*Strict" not in texts[name]]
        pages = ["/admin/dashboard", "/admin/search?q=ada", member, f"{member}/{plugin}"]
        pages += [route.path for route in routes(app, platform, [plugin]) if route.method == "GET" and route.fixed]
        sound = {page for page in pages if _status(admin, page) < 500}
        for hook in alone:
            with _raising(platform, hook):
                broken = [page for page in pages if page in sound and _status(admin, page) >= 500]
            if broken:
                what = f"When the hook {hook} raises, {', '.join(broken[:3])} breaks: call it by collect() or first()."
                yield Finding(plugin, "HOOK_NOT_ISOLATED", what, "hookspecs.py")


def _status(admin: Person, page: str) -> int:
    return int(admin.get(page).status_code)


def _implements(platform: Platform, plugin: str, hook: str) -> bool:
    return any(one.plugin_name == plugin for one in getattr(platform.registry.hooks.hook, hook).get_hookimpls())


@contextmanager
def _raising(platform: Platform, hook: str) -> Iterator[None]:
    """Let every implementation of ``hook`` raise."""
    implementations = getattr(platform.registry.hooks.hook, hook).get_hookimpls()
    kept = [(one, one.function) for one in implementations]

    def raising(*_arguments: Any) -> Any:
        raise RuntimeError(f"the check lets {hook} raise")

    for one, _function in kept:
        one.function = raising
    try:
        yield
    finally:
        for one, function in kept:
            one.function = function


__all__ = ["examine"]
