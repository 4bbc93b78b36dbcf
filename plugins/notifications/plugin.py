"""The manifest of notifications: members hear of what happens to them, once, in-app and by e-mail."""

from __future__ import annotations

from guildhall import MenuItem, Permission, Plugin, Resource, Role, Subscriber, Switch, _

from . import actions, admin, events, handlers, hooks, hookspecs, letters, report_letters, rest
from .models import Notification
from .settings import NotificationSettings

MAILING = (
    "notifications.send_mail",
    "notifications.send_report",
    "notifications.send_verification",
    "notifications.send_password_reset",
    "notifications.send_code",
)

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
                "event_id": _("Mailed by the event"),
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
            display=admin.display,
            title=admin.title,
            choices={"kind": admin.kind_choices},
        ),
    ],
    permissions=[
        Permission("notifications:member:notify", _("Have automations notify members")),
        Permission("notifications:inbox:show", _("Read one's own notices")),
        Permission("notifications:mail:replay", _("Send the mail of a notice again")),
    ],
    roles=[
        Role("User", ("notifications:inbox:show",)),
        Role("Moderator", ("notifications:inbox:show", "notifications:notification:*")),
    ],
    actions=actions.ACTIONS,
    events=[events.NotificationCreated],
    subscribers=[
        Subscriber(event="badges.badge.awarded", handler=handlers.tell_badge, batch=50),
        Subscriber(event="badges.batch.awarded", handler=handlers.tell_badge_batch),
        Subscriber(event="contributions.milestone.reached", handler=handlers.tell_milestone, batch=50),
        Subscriber(event="wallet.reward.paid", handler=handlers.tell_reward, batch=50),
        Subscriber(event="wallet.balance.low", handler=handlers.tell_balance, batch=50),
        Subscriber(event="core.member.export_ready", handler=handlers.tell_export, batch=50),
        Subscriber(event="core.member.credential_changed", handler=handlers.tell_credential, batch=50),
        Subscriber(event="core.comment.made", handler=handlers.tell_mention, batch=50),
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
        Subscriber(event="core.report.made", handler=report_letters.send_report, kind="external", lease_seconds=180),
        Subscriber(event="core.member.code_requested", handler=letters.send_code, kind="external", lease_seconds=180),
    ],
    switches=[
        Switch(
            name="mail",
            label=_("Outgoing e-mail"),
            help=_("No e-mail leaves: notices, reports, links and codes wait, and go out when it is on again."),
            subscribers=MAILING,
        )
    ],
    rest=rest.rest,
    pages=admin.pages,
    menu=[
        MenuItem(
            label=_("My notices"),
            url="/admin/notifications/mine",
            icon="inbox",
            permission="notifications:inbox:show",
        ),
        MenuItem(
            label=_("Failed mail"),
            url="/admin/notifications/failed",
            icon="mail",
            permission="notifications:notification:list",
            order=20,
        ),
    ],
    hookspecs=hookspecs,
    hooks=hooks,
)
