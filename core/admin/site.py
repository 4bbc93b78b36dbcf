"""Registers the core's own pages and those of every plugin."""

from __future__ import annotations

from flask import Flask

from core.admin import (
    access,
    api_keys,
    audit,
    dashboard,
    events,
    files,
    jobs,
    members,
    plugins,
    profile,
    registration,
    settings,
)
from core.gateway.request import owned_by
from core.platform import Platform


def install(app: Flask, platform: Platform) -> None:
    for module in (
        dashboard,
        access,
        files,
        profile,
        registration,
        api_keys,
        members,
        events,
        jobs,
        plugins,
        audit,
        settings,
    ):
        app.register_blueprint(module.pages)
    for plugin in platform.registry.plugins.values():
        if plugin.pages is not None:
            app.register_blueprint(plugin.pages)
            owned_by(app, plugin.name, plugin.pages.name)
