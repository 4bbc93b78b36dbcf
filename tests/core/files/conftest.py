"""What is shared with the tests of other parts of the core, and files of every kind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.actor import Actor
from core.members import service as members
from core.platform import Platform
from core.plugin import Plugin
from guildhall import new_id
from tests.core.workshop import shop as shop

GALLERY = Plugin("gallery", version="1", label="")


@pytest.fixture
def gallery(shop: Any, tmp_path: Path) -> Platform:
    """A platform whose files lie in a folder of the test's own."""
    platform: Platform = shop.open(GALLERY, home=tmp_path)
    shop.clear(platform)
    return platform


@pytest.fixture
def someone(gallery: Platform) -> Callable[[], Actor]:
    """Another member at each call, as an actor."""

    def make() -> Actor:
        system = Actor.system("test")
        with gallery.unit_of_work(system) as session:
            member = members.register(
                session, system, email=f"{new_id()}@example.org", password="correct horse battery", display_name="A"
            )
        return Actor(kind="member", name="A", member_id=member.id)

    return make
