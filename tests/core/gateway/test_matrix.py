"""Every route of the real application, asked by everybody."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask

from core.ids import new_id


def requests(web: Flask) -> Iterator[tuple[str, str, str]]:
    for rule in web.url_map.iter_rules():
        for method in sorted(rule.methods - {"HEAD", "OPTIONS"}):
            path = re.sub(r"<uuid:\w+>|<key>|<pk>", str(new_id()), rule.rule)
            yield method, re.sub(r"<path:\w+>", "x.css", re.sub(r"<int:\w+>", "1", re.sub(r"<\w+>", "x", path))), rule.endpoint


@pytest.mark.parametrize("role", ["", "User", "Moderator", "Admin"])
def test_all(web, people, role):
    person = people(role) if role else people()
    headers = {} if role else {"X-CSRFToken": person.csrf}
    got = {}
    for method, path, endpoint in requests(web):
        if role and endpoint in ("account.logout", "core.logout"):
            continue
        a = person.open(method, path, headers=headers)
        got[f"{method} {endpoint}"] = (a.status_code, a.headers.get("Location"))
    for k, v in got.items():
        print(role, k, *v)
