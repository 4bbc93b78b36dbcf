"""Registers the core's own pages and those of every plugin."""

from __future__ import annotations

from flask import Flask

from core.admin import (
    access,
    api_keys,
    audit,
    codes,
    dashboard,
    events,
    files,
    impersonation,
    jobs,
    members,
    plugins,
    privacy,
    profile,
    registration,
    reviews,
    search,
    settings,
    wallets,
)
from core.gateway.request import owned_by
from core.platform import Platform


def install(app: Flask, platform: Platform) -> None:
    for module in (
        dashboard,
        access,
        files,
        profile,
        privacy,
        registration,
        codes,
        wallets,
        api_keys,
        members,
        impersonation,
        reviews,
        search,
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
