"""The manifest of the demo: a made-up community to look around in."""

from __future__ import annotations

from guildhall import Plugin, _

from . import commands, hooks
from .settings import DemoSettings

plugin = Plugin(
    "demo",
    version="0.1.0",
    label=_("Demo"),
    description=_("A made-up community, the same every time, to look around in."),
    icon="box",
    requires={"contributions": ">=0.1", "wallet": ">=0.1", "suggestions": ">=0.1"},
    settings=DemoSettings,
    commands=[commands.group],
    hooks=hooks,
)
