"""What a row of a list is called, and how its values and those of a table are told."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from uuid import UUID

import pytest
from flask import Flask, get_template_attribute

from core.fab.listing import lead_of
from core.lists.state import COLUMNS
from core.platform import Platform
from tests.core.doors import Person
from tests.core.fab.test_record_lists import LIST, write

HEAT = re.compile(r'<td(?: class="heat-(\d)")?>([^<]*)</td>')


@pytest.fixture
def macro(web: Flask) -> Iterator[Callable[[str], Any]]:
    """The building blocks of pages by name, within a request."""
    with web.test_request_context("/"):
        yield lambda name: get_template_attribute("guildhall/ui.html", name)


@pytest.mark.parametrize(
    ("columns", "lead"),
    [
        (("title", "shelf"), "title"),
        (("shelf", "printed_on", "lent", "title"), "title"),
        (("price", "weight", "lent_at", "state"), "state"),
        (("copies", "lent_at"), "copies"),
        (("author.name", "title"), "author.name"),
    ],
    ids=["text", "measures first", "money first", "measures alone", "relation"],
)
def test_a_row_is_called_by_its_first_column_that_measures_nothing(
    site: Platform, columns: Sequence[str], lead: str
) -> None:
    assert lead_of(site.registry.resources["library.book"], columns) == lead


def test_the_link_stands_where_the_name_is_and_money_under_money(site: Platform, people: Callable[..., Person]) -> None:
    admin = people("Admin", browser=True)
    write(site, admin, "The Book of Rows", price=1250)
    page = admin.get(f"{LIST}?{COLUMNS}=price,title&q=The+Book+of+Rows").text
    assert re.search(r'<a class="gh-row-link"[^>]*>\s*The Book of Rows', page)
    assert re.search(r'<td data-label="Price" class="num[^"]*">\s*1,250', page)


def test_values_of_a_fixed_list_are_told_in_words(people: Callable[..., Person]) -> None:
    admin = people("Admin", browser=True)
    page = admin.get("/admin/core/member/list/").text
    assert re.search(r'<td data-label="Tier"[^>]*>\s*Free', page)
    assert re.search(r'<td data-label="Source"[^>]*>\s*Registration', page)


def test_a_table_of_numbers_alone_still_has_a_title_for_each_card(macro: Callable[[str], Any]) -> None:
    columns = [{"name": "rank", "label": "Rank", "kind": "num"}, {"name": "at", "label": "At", "kind": "time"}]
    table = macro("table")
    assert '<td data-label="Rank" class="num lead">1' in table(columns, [{"rank": 1, "at": None}])
    named = [*columns, {"name": "who", "label": "Who"}]
    assert '<td data-label="Who" class=" lead"><a class="gh-row-link" href="/x">Ada' in table(
        named, [{"rank": 1, "at": None, "who": "Ada", "url": "/x"}]
    )
    assert table([], []).count("<th") == 1


def test_a_matrix_is_tinted_by_the_share_of_a_rows_first_number(macro: Callable[[str], Any]) -> None:
    rows = [
        {"label": "May", "cells": [10, 10, 5, 1, 0]},
        {"label": "June", "cells": [0, 3]},
        {"label": "July", "cells": []},
    ]
    told = macro("matrix")("Month", "Months later", range(5), rows, "Cohorts")
    found = HEAT.findall(told)
    assert found[:5] == [("5", "10"), ("5", "10"), ("3", "5"), ("1", "1"), ("", "0")]
    assert found[5:] == [("", "0"), ("", "3")] + [("", "")] * 8
    assert "style=" not in told


def test_a_long_number_is_short_and_can_be_copied(macro: Callable[[str], Any]) -> None:
    key = UUID("01a1fb4b-d970-796c-ab2c-702c45dd31b7")
    told = macro("value")(key)
    assert f'title="{key}">01a1fb4b…</code>' in told
    assert f'data-copy="{key}"' in told
