"""What the tests of plugins share."""

from pathlib import Path
from typing import Any

import pytest

import plugins
from tests.core.workshop import eventually, plain_logs, shop, states, workshop

__all__ = ["eventually", "plain_logs", "shop", "states", "workshop"]
BUNDLED = {folder.parent.name for folder in Path(str(plugins.__file__)).parent.glob("*/plugin.py")}


@pytest.fixture
def loaded(workshop: Any) -> Any:
    """Loads, checks that all but the plugins named are taken in, and returns states and reasons of those."""

    def load(*bad: str, **options: Any) -> dict[str, tuple[str, str]]:
        platform = workshop.load(**options)
        found = {one.name: (str(one.state), one.reason) for one in platform.found}
        assert {name for name, (state, _) in found.items() if state != "enabled"} == set(bad)
        assert set(platform.registry.plugins) == {*found, "core"} - set(bad)
        assert set(found) >= BUNDLED
        return {name: found[name] for name in bad}

    return load
