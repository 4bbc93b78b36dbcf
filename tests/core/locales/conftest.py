"""The web site that these tests share."""

from __future__ import annotations

import pytest

from core.catalogues import Found, Owner, extract, owners
from core.loader import load
from core.manifest import core
from tests.conftest import test_config
from tests.core.doors import people as people
from tests.core.doors import site as site
from tests.core.doors import switch as switch
from tests.core.doors import web as web

Collected = tuple[list[Owner], dict[str, Found]]


@pytest.fixture(scope="session")
def collected() -> Collected:
    """Who keeps catalogues here, and every message by owner."""
    registry, found = load(test_config(), core)
    whose = owners(found)
    return whose, extract(registry, whose)
