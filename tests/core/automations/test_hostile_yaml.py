"""YAML that is made to cost time is refused where it begins to."""

from __future__ import annotations

import pytest

from core.automations import yaml_text
from core.automations.errors import FileInvalid


@pytest.mark.parametrize("one", ["[", "{a: ", "- ", "? "], ids=["lists", "mappings", "blocks", "keys"])
def test_a_file_that_is_nested_without_end_is_refused_at_its_beginning(one: str) -> None:
    with pytest.raises(FileInvalid) as refused:
        yaml_text.parsed(one * 20_000)
    [place] = refused.value.details
    line, column = place.split(":")
    assert line == "1" and int(column) < 20 * yaml_text.DEEPEST
