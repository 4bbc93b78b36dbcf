"""What GraphQL refuses by itself."""

from __future__ import annotations

from core.errors import DomainError, Invalid, Limit
from core.i18n import _


class QueryTooLarge(Invalid):
    """``what`` of the query is beyond ``most``, which a setting says. Nothing of it was carried out."""

    code = "QUERY_TOO_LARGE"
    sentence = _("This query has {what} beyond {most}, the most there may be. Ask for less at once.")


class QueryTooSlow(Limit):
    code = "QUERY_TOO_SLOW"
    sentence = _("A part of this query took longer than {seconds} seconds. Ask for less at once.")


class StreamWanted(DomainError):
    """A subscription was asked for as a single answer."""

    code = "NOT_ACCEPTABLE"
    status = 406
    sentence = _("A subscription is a stream: send Accept: text/event-stream.")


class TooManyStreams(Limit):
    code = "TOO_MANY_STREAMS"
    sentence = _("As many streams as there may be are open. Close one, or try again later.")


class PositionUnknown(Invalid):
    """``Last-Event-ID`` names no position of the stream, or one that is too long ago to go on from."""

    code = "POSITION_UNKNOWN"
    sentence = _("The stream cannot go on from this Last-Event-ID. Begin without it.")
