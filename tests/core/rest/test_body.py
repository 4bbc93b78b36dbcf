"""Reading JSON that strangers wrote."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from core.rest.body import DEEPEST, NotJson, read_json


@pytest.fixture
def deep_stack() -> Iterator[None]:
    """A process in which some library has raised the recursion limit, as several do when they are imported."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(1_000_000)
    yield
    sys.setrecursionlimit(before)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, '["\\"]", ' * 100_000, "[[" * 600 + "]]" * 600])
def test_endless_nesting_is_refused_whatever_the_recursion_limit_is(text: str, deep_stack: None) -> None:
    with pytest.raises(NotJson):
        read_json(text)


def test_many_brackets_that_are_not_deep_are_read() -> None:
    wide = "[" + ",".join(['{"a": "[[[[{{{{", "b": "\\\\\\"[["}'] * 1000) + "]"
    assert len(read_json(wide)) == 1000
    assert read_json("[" * DEEPEST + "]" * DEEPEST)
