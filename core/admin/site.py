"""Registers the core's own pages and those of every plugin."""

from __future__ import annotations

from flask import Flask

from core.admin import audit, dashboard, events, jobs, members, plugins, settings
from core.gateway.request import owned_by
from core.platform import Platform


def install(app: Flask, platform: Platform) -> None:
    for module in (dashboard, members, events, jobs, plugins, audit, settings):
        app.register_blueprint(module.pages)
    for plugin in platform.registry.plugins.values():
        if plugin.pages is not None:
            app.register_blueprint(plugin.pages)
            owned_by(app, plugin.name, plugin.pages.name)
