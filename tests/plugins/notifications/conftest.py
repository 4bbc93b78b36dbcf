"""Members to write to, and a mail server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.orm import Session

from core.platform import Platform
from guildhall import Member, new_id
from tests.post_office import PostOffice
from tests.post_office import post_office as open_post_office


@pytest.fixture
def post_office() -> Iterator[PostOffice]:
    with open_post_office() as office:
        yield office


@pytest.fixture
def mailing(platform: Platform, post_office: PostOffice) -> Platform:
    """The platform with a mail server configured."""
    changed = platform.config.model_copy(update={"smtp_url": post_office.url, "public_url": "https://guild.example"})
    platform.database.info["config"] = changed
    return platform


def add_member(session: Session, **values: Any) -> UUID:
    """A member; with an address unless ``email=None``."""
    key = new_id()
    session.add(Member(**{"id": key, "display_name": "Zoë Ng", "email": f"{key.hex}@example.org", **values}))
    session.flush()
    return key


@pytest.fixture
def join(platform: Platform) -> Callable[..., UUID]:
    """Make a member and commit it."""

    def made(**values: Any) -> UUID:
        with platform.unit_of_work() as session:
            return add_member(session, **values)

    return made
