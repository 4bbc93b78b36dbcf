"""Registers the core's own pages and those of every plugin."""

from __future__ import annotations

from flask import Flask

from core.admin import (
    access,
    acts,
    api_keys,
    audit,
    automation_editor,
    automation_suggestions,
    automations,
    bulk,
    codes,
    dashboard,
    events,
    factors,
    files,
    impersonation,
    imports,
    jobs,
    lists,
    member_tabs,
    members,
    plugins,
    privacy,
    profile,
    registration,
    report_schedules,
    reports,
    reviews,
    search,
    settings,
    studio,
    switches,
    wallets,
    webhooks,
)
from core.fab.tabs import OWN
from core.gateway.request import owned_by
from core.platform import Platform


def install(app: Flask, platform: Platform) -> None:
    for module in (
        dashboard,
        access,
        files,
        profile,
        factors,
        privacy,
        registration,
        codes,
        wallets,
        api_keys,
        members,
        impersonation,
        report_schedules,
        reports,
        reviews,
        lists,
        imports,
        bulk,
        acts,
        search,
        events,
        jobs,
        plugins,
        audit,
        automations,
        automation_editor,
        automation_suggestions,
        webhooks,
        settings,
        studio,
        switches,
    ):
        app.register_blueprint(module.pages)
    app.extensions[OWN]["core.member"] = member_tabs.tabs
    for plugin in platform.registry.plugins.values():
        for pages in filter(None, (plugin.pages, plugin.public_pages)):
            app.register_blueprint(pages)
            owned_by(app, plugin.name, pages.name)
