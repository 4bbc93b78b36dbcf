"""The manifest of notifications: members hear of what happens to them, once, in-app and by e-mail."""

from __future__ import annotations

from guildhall import MenuItem, Permission, Plugin, Resource, Role, Subscriber, _

from . import admin, events, handlers, hooks, hookspecs, letters, rest
from .models import Notification
from .settings import NotificationSettings

plugin = Plugin(
    "notifications",
    version="0.1.0",
    label=_("Notices"),
    description=_("Tells members what happened to them: in-app, and by e-mail where a mail server is configured."),
    icon="bell",
    requires={"contributions": ">=0.1", "badges": ">=0.1", "wallet": ">=0.1"},
    settings=NotificationSettings,
    resources=[
        Resource(
            Notification,
            label=_("Notice"),
            icon="bell",
            actions=("list", "show"),
            columns=("created_at", "member.display_name", "kind", "read_at", "mailed_at", "mail_error"),
            filters=("kind", "member_id", "created_at"),
            owner="member_id",
            labels={
                "member_id": _("Member"),
                "member.display_name": _("Member"),
                "params": _("Parameters"),
                "url": _("Leads to"),
                "mailed_at": _("Mailed"),
                "mail_error": _("Mail refused"),
                "read_at": _("Read"),
                "created_at": _("Told"),
            },
            help={
                "reference": _("Names the cause; a cause tells a member once."),
                "params": _("Ids and public names that the texts are filled with."),
                "mailed_at": _("When the mail server took the e-mail; empty when none was sent."),
                "mail_error": _("Why the mail server refused the e-mail for good."),
            },
            audit=False,
            detail=admin.detail,
            detail_template="notifications/detail.html",
        ),
    ],
    permissions=[Permission("notifications:inbox:show", _("Read one's own notices"))],
    roles=[
        Role("User", ("notifications:inbox:show",)),
        Role("Moderator", ("notifications:inbox:show", "notifications:notification:*")),
    ],
    events=[events.NotificationCreated],
    subscribers=[
        Subscriber(event="badges.badge.awarded", handler=handlers.tell_badge, batch=50),
        Subscriber(event="badges.batch.awarded", handler=handlers.tell_badge_batch),
        Subscriber(event="contributions.milestone.reached", handler=handlers.tell_milestone, batch=50),
        Subscriber(event="wallet.reward.paid", handler=handlers.tell_reward, batch=50),
        Subscriber(event="core.member.export_ready", handler=handlers.tell_export, batch=50),
        Subscriber(event="core.member.credential_changed", handler=handlers.tell_credential, batch=50),
        # Eight SMTP steps of ten seconds each must fit into the lease, lest a colleague send the mail again.
        Subscriber(event=events.NotificationCreated, handler=handlers.send_mail, kind="external", lease_seconds=180),
        Subscriber(
            event="core.member.verification_requested",
            handler=letters.send_verification,
            kind="external",
            lease_seconds=180,
        ),
        Subscriber(
            event="core.member.password_reset_requested",
            handler=letters.send_password_reset,
            kind="external",
            lease_seconds=180,
        ),
        Subscriber(event="core.member.code_requested", handler=letters.send_code, kind="external", lease_seconds=180),
    ],
    rest=rest.rest,
    pages=admin.pages,
    menu=[
        MenuItem(
            label=_("My notices"),
            url="/admin/notifications/mine",
            icon="inbox",
            permission="notifications:inbox:show",
        )
    ],
    hookspecs=hookspecs,
    hooks=hooks,
)
