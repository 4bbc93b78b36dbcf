"""What is sent of an object is what marshmallow itself would send, to the last field."""

from __future__ import annotations

from collections import namedtuple
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import marshmallow as ma
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.ids import new_id
from core.rest import fields
from core.rest.schema import Schema


class Colour(Enum):
    RED = "r"


class Line(Schema):
    label = fields.String()
    points = fields.Integer()


class Everything(Schema):
    text = fields.String()
    number = fields.Integer()
    told = fields.Integer(as_string=True)
    real = fields.Float()
    exact = fields.Decimal(as_string=True)
    yes = fields.Boolean()
    key = fields.UUID()
    moment = fields.Instant()
    day = fields.Date()
    units = fields.Units()
    money = fields.Money()
    raw = fields.Raw()
    mapping = fields.Dict()
    typed = fields.Dict(keys=fields.String(), values=fields.Instant())
    texts = fields.List(fields.String())
    line = fields.Nested(Line)
    lines = fields.List(fields.Nested(Line))
    many = fields.Nested(Line, many=True)
    part = fields.Nested(Line, only=("label",))
    renamed = fields.String(data_key="another name")
    elsewhere = fields.String(attribute="another")
    deep = fields.String(attribute="line.label")
    with_default = fields.String(dump_default="by default")
    called_default = fields.List(fields.Integer(), dump_default=lambda: [1])
    colour = fields.Enum(Colour)
    constant = fields.Constant("always")
    made = fields.Function(lambda given: type(given).__name__)
    secret = fields.String(load_only=True)


MOMENT = datetime(2026, 3, 1, 12, 30, tzinfo=timezone(timedelta(hours=2)))
LINES = st.fixed_dictionaries({}, optional={"label": st.none() | st.text(max_size=5), "points": st.integers()})
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "text": st.text(max_size=8) | st.binary(max_size=0) | st.integers(),
    "number": st.integers() | st.booleans() | st.sampled_from(["12", 1.0, Decimal(7)]),
    "told": st.integers(),
    "real": st.floats(allow_nan=False) | st.integers(),
    "exact": st.decimals(allow_nan=False, allow_infinity=False),
    "yes": st.booleans() | st.sampled_from([0, 1, "true"]),
    "key": st.uuids() | st.just(str(new_id())),
    "moment": st.sampled_from([MOMENT, MOMENT.astimezone(UTC)]),
    "day": st.just(date(2026, 3, 1)),
    "units": st.integers(),
    "money": st.just({"amount": 1250, "asset": "USD"}),
    "raw": st.none() | st.integers() | st.lists(st.text(max_size=3)) | st.sampled_from([MOMENT, Colour.RED]),
    "mapping": st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
    "typed": st.just({"a": MOMENT}),
    "texts": st.lists(st.text(max_size=3), max_size=3) | st.just(("a", "b")),
    "line": LINES,
    "lines": st.lists(LINES, max_size=2),
    "many": st.lists(LINES, max_size=2),
    "part": LINES,
    "renamed": st.text(max_size=3),
    "another": st.text(max_size=3),
    "with_default": st.text(max_size=3),
    "called_default": st.lists(st.integers(), max_size=2),
    "colour": st.just(Colour.RED),
    "secret": st.just("hush"),
}
GIVEN = st.fixed_dictionaries({}, optional={name: st.none() | one for name, one in VALUES.items()})


class ItemsAndAttributes:
    """Answers some names as items, the others as attributes, as a row of the database does."""

    def __init__(self, values: dict[str, Any]) -> None:
        names = sorted(values)
        self._items = {name: values[name] for name in names[::2]}
        vars(self).update({name: values[name] for name in names[1::2]})

    def __getitem__(self, name: str) -> Any:
        return self._items[name]


def rows(values: dict[str, Any]) -> list[Any]:
    made = namedtuple("made", list(values)) if values else None
    whole = [values, SimpleNamespace(**values), ItemsAndAttributes(values)]
    return [*whole, made(**values)] if made else whole


@given(GIVEN)
@settings(deadline=None, max_examples=150)
def test_every_kind_of_field_and_object_is_dumped_as_by_marshmallow(values: dict[str, Any]) -> None:
    schema = Everything()
    for given_as in rows(values):
        assert schema.dump(given_as) == ma.Schema.dump(schema, given_as)
    several = [values, SimpleNamespace(**values)]
    assert list(schema.dump(values)) == list(ma.Schema.dump(schema, values))  # in the same order
    assert schema.dump(several, many=True) == ma.Schema.dump(schema, several, many=True)


@pytest.mark.parametrize("options", [{"many": True}, {"only": ("text", "line.label")}, {"exclude": ("lines", "text")}])
def test_what_a_schema_is_asked_for_is_kept(options: dict[str, Any]) -> None:
    schema = Everything(**options)
    one = {"text": "a", "line": {"label": "b", "points": 1}, "lines": []}
    shown: Any = [one, one] if schema.many else one
    assert schema.dump(shown) == ma.Schema.dump(schema, shown)
    if schema.many:
        assert schema.dump(one, many=False) == ma.Schema.dump(schema, one, many=False)


def test_a_schema_with_ways_of_its_own_keeps_them() -> None:
    class Shouting(Schema):
        text = fields.String()

        @ma.post_dump
        def shout(self, made: dict[str, Any], **_about: Any) -> dict[str, Any]:
            return {name: value.upper() for name, value in made.items()}

    class Asking(Schema):
        text = fields.String()

        def get_attribute(self, obj: Any, attr: str, default: Any) -> Any:
            return f"the {attr}"

    class Whispering(fields.String):
        def serialize(self, *arguments: Any, **named: Any) -> Any:
            return "hush"

    class Quiet(Schema):
        text = Whispering()

    assert Shouting().dump({"text": "a"}) == {"text": "A"}
    assert Shouting(many=True).dump([{"text": "a"}]) == [{"text": "A"}]
    assert Asking().dump({}) == {"text": "the text"}
    assert Quiet().dump({"text": "a"}) == {"text": "hush"}


@pytest.mark.parametrize("wrong", [{"number": "many"}, {"money": {}}, {"lines": 3}])
def test_what_cannot_be_dumped_fails_alike(wrong: dict[str, Any]) -> None:
    schema = Everything()
    with pytest.raises(Exception) as theirs:
        ma.Schema.dump(schema, wrong)
    with pytest.raises(theirs.type):
        schema.dump(wrong)


def test_a_key_of_the_wrong_type_is_written_as_text() -> None:
    assert Everything().dump({"key": UUID(int=7)}) == {
        **Everything().dump({}), "key": "00000000-0000-0000-0000-000000000007"
    }  # fmt: skip
