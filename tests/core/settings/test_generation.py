"""What a process keeps is thrown away when the generation grows, and nothing older slips in afterwards."""

from __future__ import annotations

from typing import Any

import pytest

from core import generation
from core.platform import Platform


@pytest.fixture
def one(shop: Any) -> Platform:
    made: Platform = shop.open()
    return made


def advance(platform: Platform) -> None:
    with platform.unit_of_work() as session:
        generation.advance(session)


def look_again(platform: Platform) -> None:
    platform.registry.cache.looked_at = generation.NEVER


def kept(platform: Platform) -> Any:
    with platform.unit_of_work() as session:
        return generation.cached(session, "key")


def keep(platform: Platform, value: Any) -> None:
    with platform.unit_of_work() as session:
        generation.cached(session, "key")
        generation.keep(session, "key", value)


def test_what_is_kept_is_found(one: Platform) -> None:
    keep(one, "value")
    look_again(one)
    assert kept(one) == "value"


def test_a_new_generation_of_another_process_throws_it_away(shop: Any, one: Platform) -> None:
    other = shop.open()
    keep(other, "value")
    advance(one)
    assert kept(other) == "value"  # it looks once a second
    look_again(other)
    assert kept(other) is None


def test_the_process_that_changes_sees_it_at_once(one: Platform) -> None:
    keep(one, "value")
    advance(one)
    assert kept(one) is None


def test_a_savepoint_does_not_end_the_change(one: Platform) -> None:
    keep(one, "value")
    with one.unit_of_work() as session:
        generation.advance(session)
        with session.begin_nested():
            pass
        assert generation.cached(session, "key") is None
        generation.keep(session, "key", "uncommitted")
    assert kept(one) is None


def test_a_change_that_is_rolled_back_throws_nothing_away(one: Platform) -> None:
    keep(one, "value")
    with pytest.raises(RuntimeError), one.unit_of_work() as session:
        generation.advance(session)
        raise RuntimeError
    look_again(one)
    assert kept(one) == "value"


def test_what_was_read_before_the_generation_grew_is_not_kept_as_new(one: Platform) -> None:
    with one.unit_of_work() as slow:
        assert generation.cached(slow, "key") is None
        advance(one)
        assert kept(one) is None  # another thread has seen the new generation
        generation.keep(slow, "key", "read before")
    assert kept(one) is None


def test_tokens_can_tell_the_generation(one: Platform) -> None:
    with one.unit_of_work() as session:
        before = generation.version(session)
    advance(one)
    with one.unit_of_work() as session:
        assert generation.version(session) == before + 1
