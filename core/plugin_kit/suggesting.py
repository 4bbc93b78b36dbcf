"""Whether the automations that a plugin suggests could be turned on where it is installed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from core.automations import fitting
from core.platform import Platform
from core.plugin_kit.finding import Finding


def examine(platform: Platform, names: Iterable[str]) -> Iterator[Finding]:
    """What they name that is not there, and parameters and conditions that cannot be used."""
    wanted = set(names)
    with platform.unit_of_work() as session:
        for key, one in platform.registry.suggestions.items():
            plugin = key.split(".")[0]
            if plugin not in wanted:
                continue
            for place, sentences in fitting.check(session, one.said).items():
                what = f"The automation {one.name} cannot be turned on as it is: {place}: {' '.join(sentences)}"
                yield Finding(plugin, "AUTOMATION_UNFIT", what)
