"""Schemas of bodies, queries and answers: marshmallow, strict, with the field types of the wire format."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import marshmallow as ma
from marshmallow import ValidationError
from marshmallow import fields as base

from core.addresses import chain_of
from core.clock import rfc3339
from core.content_languages import text_for_reader
from core.i18n import _
from core.resources import file_fields
from core.rest.dump import dumper

BIGGEST = 10**38 - 1
DEEPEST = 60
WHOLE = r"^-?[0-9]{1,38}$"


class Schema(ma.Schema):
    """Base of every schema: unknown fields are refused, and so is text that PostgreSQL cannot hold."""

    class Meta:
        unknown = ma.RAISE

    @cached_property
    def _dump_one(self) -> Callable[[Any], Any] | None:
        return dumper(self)

    def dump(self, obj: Any, *, many: bool | None = None) -> Any:
        """What is sent of ``obj``, or of each of ``obj``."""
        dump_one = self._dump_one
        if dump_one is None:
            return super().dump(obj, many=many)
        if (self.many if many is None else many) and obj is not None:
            return [dump_one(one) for one in obj]
        return dump_one(obj)

    @ma.pre_load
    def _clean(self, given: Any, **_kwargs: Any) -> Any:
        if isinstance(given, Mapping):
            bad = {
                str(key): [_("This holds characters or nesting that cannot be kept.")]
                for key, value in given.items()
                if not storable(value) or not storable(key)
            }
            if bad:
                raise ValidationError(bad)
        return given


def storable(value: Any, depth: int = 0) -> bool:
    """Whether ``value`` can be stored: no NUL, no lone surrogate, no nesting beyond DEEPEST."""
    if depth > DEEPEST:
        return False
    if isinstance(value, str):
        return "\x00" not in value and not any("\ud800" <= one <= "\udfff" for one in value)
    if isinstance(value, Mapping):
        return all(storable(key) and storable(item, depth + 1) for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return all(storable(item, depth + 1) for item in value)
    return True


class Money(base.Field[dict[str, Any]]):
    """``{"amount": "1250", "asset": "USD"}``: an integer string in the asset's smallest unit.

    Loads to ``{"amount": 1250, "asset": "USD"}``; dumps from such a mapping. Numbers are refused: JSON's are floats.
    """

    ABOUT = {
        "properties": {"amount": {"type": "string", "pattern": WHOLE}, "asset": {"type": "string", "maxLength": 20}},
        "required": ["amount", "asset"],
        "additionalProperties": False,
        "example": {"amount": "1250", "asset": "USD"},
    }

    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "metadata": {**self.ABOUT, **options.get("metadata", {})}})

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> Any:
        return None if value is None else {"amount": str(value["amount"]), "asset": value["asset"]}

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> dict[str, Any]:
        if not isinstance(value, dict) or set(value) != {"amount", "asset"}:
            raise ValidationError(_('Give {"amount": "1250", "asset": "USD"}.'))
        amount, asset = value["amount"], value["asset"]
        if not isinstance(amount, str) or not amount.isascii() or not amount.removeprefix("-").isdigit():
            raise ValidationError(_("The amount is a whole number of the smallest unit, written as a string."))
        if not isinstance(asset, str) or not 1 <= len(asset) <= 20:
            raise ValidationError(_("Name the asset, such as USD."))
        if len(amount) > 39 or abs(int(amount)) > BIGGEST:
            raise ValidationError(_("The amount is too large."))
        return {"amount": int(amount), "asset": asset}


class Units(base.Field[int]):
    """A whole number of units as a string on the wire."""

    ABOUT = {"pattern": WHOLE, "example": "1250"}

    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "metadata": {**self.ABOUT, **options.get("metadata", {})}})

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> Any:
        return None if value is None else str(value)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        if not isinstance(value, str) or not value.isascii() or not value.removeprefix("-").isdigit():
            raise ValidationError(_("Give a whole number as a string."))
        if len(value) > 39 or abs(int(value)) > BIGGEST:
            raise ValidationError(_("The number is too large."))
        return int(value)


class Translated(base.String):
    """A text in the reader's language, else as it was written."""

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> Any:
        return text_for_reader(obj, attr or "")


class File(base.Field[Any]):
    """A file that a record holds, with a link that expires. It is written as the id of one that was sent before."""

    ABOUT = {
        "properties": {
            "id": {"type": "string", "format": "uuid"},
            "name": {"type": "string"},
            "media_type": {"type": "string", "example": "image/png"},
            "size": {"type": "integer", "description": "Bytes."},
            "url": {"type": "string", "description": "A path that needs no sign-in and expires."},
        },
        "additionalProperties": False,
    }

    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "metadata": {**self.ABOUT, **options.get("metadata", {})}})

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> Any:
        return file_fields.shown(obj, attr or "")


class Address(base.String):
    """An address on the network ``chain`` (CAIP-2); loads to the form that is kept. Raises InvalidAddress."""

    def __init__(self, *, chain: str = "eip155:1", **options: Any) -> None:
        self.format = chain_of(chain).format
        super().__init__(**{**options, "metadata": {"example": self.format.example, **options.get("metadata", {})}})

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        given = super()._deserialize(value, attr, data, **kwargs)
        return self.format.check(str(given), attr or "address")


class Integer(base.Integer):
    """A whole number of at most 63 bits, which is what a column holds; no fraction is cut off."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        if isinstance(value, bool) or (isinstance(value, float) and not value.is_integer()):
            raise self.make_error("invalid", input=value)
        number: int = super()._deserialize(value, attr, data, **kwargs)
        if abs(number) >= 2**63:
            raise ValidationError(_("The number is too large."))
        return number


class Instant(base.AwareDateTime):
    """A moment as RFC 3339; a time without an offset is refused."""

    def _serialize(self, value: datetime | None, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        return None if value is None else rfc3339(value)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> datetime:
        moment: datetime = super()._deserialize(value, attr, data, **kwargs)
        try:
            return moment.astimezone(UTC)
        except OverflowError:
            raise ValidationError(_("This moment is beyond the calendar.")) from None
