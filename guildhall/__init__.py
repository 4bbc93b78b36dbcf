"""The public face of Guildhall: all that a plugin imports.

Everything here keeps its name and meaning within a contract version; everything else may move.
"""

from core import addresses, generation
from core.actor import Actor
from core.addresses import ChainUnknown, EvmAddress, EvmText, InvalidAddress, TronAddress, TronText
from core.audit.trail import record as audit
from core.automations.action import Action, ActionCall
from core.automations.budget import take as take_from_cap
from core.automations.suggestion import Suggestion
from core.clock import now
from core.crypto.keyring import seal, unseal
from core.crypto.sealed import Sealed
from core.db import locks
from core.db.base import (
    Amount,
    Count,
    CreatedAt,
    FullText,
    Id,
    Instant,
    Json,
    LongText,
    Mapped,
    MemberRef,
    Model,
    SearchText,
    ShortText,
    Slug,
    Units,
    choice,
)
from core.errors import Conflict, DomainError, Forbidden, Invalid, Limit, NotFound, Unavailable
from core.events import outcomes as deliveries
from core.events.event import Event, GiveUp, StoredEvent, Subscriber, TryLater
from core.events.publish import publish
from core.export.csv import csv_line, csv_lines
from core.export.pdf import write_pdf
from core.export.table import Column, Table
from core.export.xlsx import write_xlsx
from core.expressions import BadExpression, Expressions
from core.files import service as files
from core.files.upload import DOCUMENTS, IMAGES, MEDIA
from core.hooks import call, collect, first
from core.hookspecs import Fact, Facts, Figure, Hit, Panel, hookimpl, hookspec
from core.i18n import Seeded, Translator, _, translated
from core.ids import new_id, uuid_of
from core.jobs import queue as jobs
from core.jobs.job import Job, JobContext, Schedule
from core.jobs.queue import enqueue, enqueue_once
from core.members import service as members
from core.members.codes import one_time_code
from core.members.models import Member
from core.plugin import Gauge, HealthCheck, MenuItem, Permission, Plugin, Role, Upload, Widget
from core.reports import copies as report_copies
from core.reports.period import Period
from core.reports.report import Chart, Parameter, Report, ReportColumn
from core.resources.computed import Computed
from core.resources.file_fields import FileRef
from core.resources.operation import Operation
from core.resources.resource import Inline, Resource, Section
from core.resources.transition import Transition
from core.reviews import service as reviews
from core.reviews.kind import ReviewKind
from core.reviews.models import Review
from core.settings import Settings
from core.settings import read as read_settings
from core.switches import service as switches
from core.switches.switch import Switch

__all__ = [
    "DOCUMENTS",
    "IMAGES",
    "MEDIA",
    "Action",
    "ActionCall",
    "Actor",
    "Amount",
    "BadExpression",
    "ChainUnknown",
    "Chart",
    "Column",
    "Computed",
    "Conflict",
    "Count",
    "CreatedAt",
    "DomainError",
    "Event",
    "EvmAddress",
    "EvmText",
    "Expressions",
    "Fact",
    "Facts",
    "Figure",
    "FileRef",
    "Forbidden",
    "FullText",
    "Gauge",
    "GiveUp",
    "HealthCheck",
    "Hit",
    "Id",
    "Inline",
    "Instant",
    "Invalid",
    "InvalidAddress",
    "Job",
    "JobContext",
    "Json",
    "Limit",
    "LongText",
    "Mapped",
    "Member",
    "MemberRef",
    "MenuItem",
    "Model",
    "NotFound",
    "Operation",
    "Panel",
    "Parameter",
    "Period",
    "Permission",
    "Plugin",
    "Report",
    "ReportColumn",
    "Resource",
    "Review",
    "ReviewKind",
    "Role",
    "Schedule",
    "Sealed",
    "SearchText",
    "Section",
    "Seeded",
    "Settings",
    "ShortText",
    "Slug",
    "StoredEvent",
    "Subscriber",
    "Suggestion",
    "Switch",
    "Table",
    "Transition",
    "Translator",
    "TronAddress",
    "TronText",
    "TryLater",
    "Unavailable",
    "Units",
    "Upload",
    "Widget",
    "_",
    "addresses",
    "audit",
    "call",
    "choice",
    "collect",
    "csv_line",
    "csv_lines",
    "deliveries",
    "enqueue",
    "enqueue_once",
    "files",
    "first",
    "generation",
    "hookimpl",
    "hookspec",
    "jobs",
    "locks",
    "members",
    "new_id",
    "now",
    "one_time_code",
    "publish",
    "read_settings",
    "report_copies",
    "reviews",
    "seal",
    "switches",
    "take_from_cap",
    "translated",
    "unseal",
    "uuid_of",
    "write_pdf",
    "write_xlsx",
]
