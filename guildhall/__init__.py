"""The public face of Guildhall: all that a plugin imports.

Everything here keeps its name and meaning within a contract version; everything else may move.
"""

from core import addresses, generation
from core.actor import Actor
from core.addresses import ChainUnknown, EvmAddress, EvmText, InvalidAddress, TronAddress, TronText
from core.audit.trail import record as audit
from core.clock import now
from core.crypto.keyring import seal, unseal
from core.crypto.sealed import Sealed
from core.db import locks
from core.db.base import (
    Amount,
    Count,
    CreatedAt,
    Id,
    Instant,
    Json,
    LongText,
    Mapped,
    MemberRef,
    Model,
    ShortText,
    Slug,
    Units,
    choice,
)
from core.errors import Conflict, DomainError, Forbidden, Invalid, Limit, NotFound, Unavailable
from core.events.event import Event, StoredEvent, Subscriber
from core.events.publish import publish
from core.export.csv import csv_line
from core.export.table import Column, Table
from core.files import service as files
from core.files.upload import DOCUMENTS, IMAGES, MEDIA
from core.hooks import call, collect
from core.hookspecs import Hit, Panel, hookimpl, hookspec
from core.i18n import Translator, _, translated
from core.ids import new_id
from core.jobs.job import Job, JobContext, Schedule
from core.jobs.queue import enqueue, enqueue_once
from core.members import service as members
from core.members.codes import one_time_code
from core.members.models import Member
from core.plugin import Gauge, HealthCheck, MenuItem, Permission, Plugin, Role, Upload, Widget
from core.resource import Resource
from core.reviews import service as reviews
from core.reviews.kind import ReviewKind
from core.reviews.models import Review
from core.settings import Settings
from core.settings import read as read_settings

__all__ = [
    "DOCUMENTS",
    "IMAGES",
    "MEDIA",
    "Actor",
    "Amount",
    "ChainUnknown",
    "Column",
    "Conflict",
    "Count",
    "CreatedAt",
    "DomainError",
    "Event",
    "EvmAddress",
    "EvmText",
    "Forbidden",
    "Gauge",
    "HealthCheck",
    "Hit",
    "Id",
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
    "Panel",
    "Permission",
    "Plugin",
    "Resource",
    "Review",
    "ReviewKind",
    "Role",
    "Schedule",
    "Sealed",
    "Settings",
    "ShortText",
    "Slug",
    "StoredEvent",
    "Subscriber",
    "Table",
    "Translator",
    "TronAddress",
    "TronText",
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
    "enqueue",
    "enqueue_once",
    "files",
    "generation",
    "hookimpl",
    "hookspec",
    "locks",
    "members",
    "new_id",
    "now",
    "one_time_code",
    "publish",
    "read_settings",
    "reviews",
    "seal",
    "translated",
    "unseal",
]
