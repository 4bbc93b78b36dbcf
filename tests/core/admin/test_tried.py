"""A change that is refused on a page is told there, whatever the refusal quotes."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask, get_flashed_messages
from sqlalchemy.orm import Session

from core.admin.pages import tried
from core.errors import Invalid


@pytest.mark.parametrize("quoted", ["{}", "{name}", "{0!r}", "100 %", "%(name)s"])
def test_a_refusal_that_quotes_braces_is_told_as_it_is(web: Flask, session: Session, quoted: str) -> None:
    def change() -> Any:
        raise Invalid({"field": [f"This cannot be {quoted}."]})

    with web.test_request_context("/"):
        assert not tried(session, change)
        assert get_flashed_messages() == [f"This cannot be {quoted}."]
