"""Reading a JSON body: whatever is sent, it becomes a value or a refusal."""

from __future__ import annotations

from typing import Any

from flask import Request
from webargs.flaskparser import FlaskParser, abort, is_json_request


class BodyParser(FlaskParser):
    """webargs' parser for bodies by strangers: of another type, nested without end, with endless numbers."""

    DEFAULT_UNKNOWN_BY_LOCATION = {**FlaskParser.DEFAULT_UNKNOWN_BY_LOCATION, "query": None}  # the schema decides

    def load_json(self, req: Request, schema: Any) -> Any:
        if req.get_data(cache=True) and not is_json_request(req):
            abort(415)
        try:
            return super().load_json(req, schema)
        except (ValueError, RecursionError) as problem:
            return abort(400, exc=problem, messages={"json": ["Invalid JSON body."]})
