"""What a route is known by: its method and its path, whatever its parameters are called."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator

Route = tuple[str, str]
_PARAMETER = re.compile(r"<(?:(\w+):)?\w+>")


def route_of(method: str, path: str) -> Route:
    """``GET /books/<uuid:key>`` as ("GET", "/books/<uuid>")."""
    return method, _PARAMETER.sub(lambda found: f"<{found[1] or ''}>", path)


def declared_twice(blueprints: Iterable[object]) -> Iterator[str]:
    """What can be reached under the same method and path, of blueprints that keep their ``routes``."""
    found = Counter(
        (method, f"{getattr(one, 'url_prefix', '')}{path}")
        for one in blueprints
        for method, path in getattr(one, "routes", ())
    )
    for (method, path), times in found.items():
        if times > 1:
            yield f"{method} {path}"
