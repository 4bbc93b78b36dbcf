"""Templates say their own texts with ``_``, whose result is markup, and everybody else's with the filter ``told``."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.plugin_kit.sources import said_as_markup

ROOT = Path(__file__).resolve().parents[3]
TEMPLATES = sorted(
    path for folder in ("core", "plugins", "docs/examples") for path in (ROOT / folder).rglob("templates/**/*.html")
)


def test_a_variable_is_never_said_as_markup() -> None:
    assert len(TEMPLATES) > 50
    wrong = {str(path.relative_to(ROOT)): said_as_markup(path.read_text("utf-8")) for path in TEMPLATES}
    assert {name: lines for name, lines in wrong.items() if lines} == {}


@pytest.mark.parametrize("source", ["{{ _(label) }}", "{{ ui.tag(gettext(one.label)) }}", "{% set x = _(a ~ b) %}"])
def test_the_check_finds_it(source: str) -> None:
    assert said_as_markup(source) == [1]
