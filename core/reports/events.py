"""What happens to scheduled reports."""

from __future__ import annotations

from uuid import UUID

from core.events.event import Event


class ReportMade(Event):
    """A copy of a scheduled report is ready for its reader: whoever sends mail can send it.

    Not published for a copy whose making failed, nor for a reader who may not see the report any more; a plugin that
    sends it asks ``report_copies.letter``, which knows whether it still should.
    """

    event_name = "core.report.made"
    copy_id: UUID
    schedule_id: UUID
    member_id: UUID
    report: str
