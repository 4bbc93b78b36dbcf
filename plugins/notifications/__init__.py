"""Notices: what members are told, in-app and by e-mail."""

from .events import NotificationCreated
from .hookspecs import notification_kinds
from .kinds import Kind
from .models import Notification
from .service import notify

__all__ = ["Kind", "Notification", "NotificationCreated", "notification_kinds", "notify"]
