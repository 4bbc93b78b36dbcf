"""The core's own manifest: it declares itself by the same means as any plugin."""

from __future__ import annotations

from datetime import timedelta

from core import hookspecs, queries
from core.audit.commands import audit
from core.automations import running as automation_runs
from core.automations import service as automations
from core.automations import turns as automation_turns
from core.automations.by_hand import OPERATION as AUTOMATE
from core.automations.commands import automation
from core.automations.events import Signalled, WebhookCalled
from core.automations.own import ACTIONS, REVIEW
from core.automations.own import KIND as AUTOMATION_REVIEW
from core.automations.queries import failed_lately
from core.comments.events import CommentMade
from core.events.commands import events
from core.events.event import Subscriber
from core.events.quarantine import PluginQuarantined
from core.events.replay import REPLAY_JOB, run_replay
from core.events.retention import SWEEP_JOB, run_sweep
from core.files.sweep import sweep
from core.files.upload import DOCUMENTS, IMAGES, Upload
from core.history import retention
from core.i18n import _
from core.imports import run as record_imports
from core.imports import service as importing
from core.imports.commands import import_command
from core.imports.plan import IMPORT
from core.jobs.job import Job, Schedule
from core.keys.commands import keys
from core.keys.rotate import reseal
from core.lists import bulk
from core.members import impersonation, old_sessions, profiles, signals
from core.members.commands import rotate_signing
from core.members.events import (
    CredentialChanged,
    EmailVerified,
    ExportReady,
    ImpersonationEnded,
    ImpersonationStarted,
    MemberClosed,
    MemberErased,
    MemberReactivated,
    MemberRegistered,
    MemberSuspended,
    OneTimeCodeRequested,
    PasswordResetRequested,
    ProfileCompleted,
    SignInFailed,
    SmsCodeRequested,
    VerificationRequested,
)
from core.members.models import Member
from core.members.sms import send_code
from core.platform_settings import PlatformSettings
from core.plugin import MenuItem, Permission, Plugin, Role, Widget
from core.privacy import erase, export
from core.reports import sending as report_sending
from core.reports.events import ReportMade
from core.reports.own import REPORTS
from core.resources.resource import Resource
from core.rest import retention as answers
from core.reviews.events import ReviewAssigned, ReviewDecided, ReviewEscalated, ReviewOpened
from core.reviews.queries import waiting
from core.switches.commands import switch
from core.switches.own import SWITCHES
from core.webhooks import delivery as webhook_delivery
from core.webhooks.events import WebhookPinged, WebhookStopped
from core.webhooks.models import Webhook

keys.add_command(rotate_signing)

core = Plugin(
    "core",
    version="0.1.0",
    label=_("Platform"),
    description=_("Members, access, events, jobs, audit and settings."),
    icon="building-community",
    settings=PlatformSettings,
    resources=[
        Resource(
            Member,
            label=_("Member"),
            label_plural=_("Members"),
            icon="users",
            actions=("list", "show", "update"),
            columns=("display_name", "email", "status", "tier", "source", "joined_at"),
            fields=("display_name", "tier", "locale", "time_zone", "preferred_chain"),
            search=("display_name", "email"),
            filters=("status", "tier", "source", "joined_at"),
            bulk=("tier",),
            operations=(AUTOMATE,),
            order="-joined_at",
            hidden=("user_id",),
            help={
                "locale": _("Such as fr; empty: the language the browser asks for."),
                "preferred_chain": _("The number of the blockchain that payments go over, such as 146."),
            },
            states={"status": {"active": "green", "suspended": "red", "closed": "gray"}},
            update=profiles.change_for,
            page="/admin/members/{id}",
            new_page="/admin/members/new",
        ),
        Resource(
            Webhook,
            label=_("Webhook"),
            label_plural=_("Webhooks"),
            icon="webhook",
            actions=("list", "show"),
            columns=("description", "url", "state", "created_at"),
            search=("url",),
            few=True,
            filters=("state",),
            order="-id",
            hidden=("secret", "former_secret"),
            labels={"url": _("Address"), "description": _("What it is for"), "events": _("Events")},
            states={"state": {"active": "green", "off": "gray", "gone": "red", "failing": "red"}},
            events=False,
            page="/admin/webhooks/{id}",
            new_page="/admin/webhooks/new",
        ),
    ],
    menu=[
        MenuItem(label=_("Dashboard"), url="/", icon="layout-dashboard", permission="core:dashboard:show", order=1),
        MenuItem(
            label=_("Reviews"),
            url="/admin/reviews",
            icon="inbox",
            permission="core:review:list",
            order=2,
            badge=waiting,
        ),
        MenuItem(label=_("Reports"), url="/admin/reports", icon="chart-bar", permission="core:report:list", order=3),
        MenuItem(
            label=_("Automations"),
            url="/admin/automations",
            icon="wand",
            permission=automations.SEE,
            order=4,
            badge=failed_lately,
        ),
        MenuItem(label=_("Events"), url="/admin/events", icon="activity", permission="core:event:list", order=60),
        MenuItem(label=_("Jobs"), url="/admin/jobs", icon="clock", permission="core:job:list", order=61),
        MenuItem(label=_("Roles"), url="/admin/access", icon="shield", permission="core:role:list", order=59),
        MenuItem(
            label=_("Acting as others"),
            url="/admin/impersonations",
            icon="user-circle",
            permission="core:member:impersonate",
            order=59,
        ),
        MenuItem(label=_("Switches"), url="/admin/switches", icon="bolt", permission="core:switch:list", order=62),
        MenuItem(label=_("Plugins"), url="/admin/plugins", icon="puzzle", permission="core:plugin:list", order=62),
        MenuItem(label=_("Studio"), url="/admin/studio", icon="template", permission="core:studio:use", order=62),
        MenuItem(label=_("Audit trail"), url="/admin/audit", icon="history", permission="core:audit:list", order=63),
        MenuItem(label=_("API keys"), url="/admin/api-keys", icon="key", permission="core:api_key:list", order=63),
        MenuItem(
            label=_("Settings"), url="/admin/settings", icon="settings", permission="core:settings:show", order=64
        ),
    ],
    permissions=[
        Permission("core:dashboard:show", _("See the dashboard")),
        Permission("core:member:create", _("Create members")),
        Permission("core:member:suspend", _("Suspend members, let them back in, close accounts")),
        Permission("core:member:impersonate", _("Act as another member, to look around")),
        Permission("core:member:impersonate_write", _("Change things while acting as another member")),
        Permission("core:member:export", _("Make copies of what is held about a member")),
        Permission("core:member:erase", _("Erase members")),
        Permission("core:role:list", _("See roles and what they grant")),
        Permission("core:role:update", _("Create, change and delete roles")),
        Permission("core:role:assign", _("Give roles to members and take them away")),
        Permission("core:review:list", _("Use the review inbox")),
        Permission("core:review:escalated", _("Decide escalated cases")),
        Permission("core:report:list", _("See reports")),
        Permission("core:report:schedule", _("Have reports sent by e-mail")),
        Permission("core:switch:list", _("See the kill switches")),
        Permission("core:switch:pull", _("Switch parts of the platform off and on")),
        Permission("core:event:list", _("See the event stream")),
        Permission("core:delivery:replay", _("Replay deliveries")),
        Permission("core:subscriber:pause", _("Pause and resume subscribers")),
        Permission("core:job:list", _("See background jobs")),
        Permission("core:job:manage", _("Cancel and retry background jobs")),
        Permission("core:plugin:list", _("See the plugins and their states")),
        Permission("core:plugin:toggle", _("Turn plugins on and off")),
        Permission("core:studio:use", _("Design plugins in Studio")),
        Permission("core:comment:list", _("Read comments on records")),
        Permission("core:comment:create", _("Comment on records")),
        Permission("core:comment:delete", _("Delete others' comments")),
        Permission("core:history:show", _("See the history of records, and bring back what was")),
        Permission("core:list:export", _("Export lists as files")),
        Permission(IMPORT, _("Import records from files, where they may be made")),
        Permission("core:list:save", _("Save views of lists and choose their columns")),
        Permission("core:list:share", _("Share saved views of lists")),
        Permission("core:webhook:create", _("Make webhooks")),
        Permission("core:webhook:update", _("Change webhooks, test them and give them new secrets")),
        Permission("core:webhook:delete", _("Delete webhooks")),
        Permission(automations.SEE, _("See automations and what they did")),
        Permission(automations.CREATE, _("Write automations")),
        Permission(automations.UPDATE, _("Change automations and try them out")),
        Permission(automations.ENABLE, _("Turn automations on and off")),
        Permission(automations.DELETE, _("Delete automations")),
        Permission(automations.RUN, _("Start automations by hand and repeat their runs")),
        Permission(REVIEW, _("Decide what automations ask")),
        Permission("core:audit:list", _("See the audit trail")),
        Permission("core:audit:export", _("Export the audit trail")),
        Permission("core:settings:show", _("See settings")),
        Permission("core:settings:update", _("Change settings")),
        Permission("core:file:show", _("See every member's files")),
        Permission("core:api_key:list", _("See API keys")),
        Permission("core:api_key:create", _("Make API keys")),
        Permission("core:api_key:revoke", _("End API keys")),
        Permission("core:metrics:show", _("Read /metrics")),
    ],
    roles=[
        Role("User", ()),
        Role(
            "Moderator",
            (
                "core:dashboard:show",
                "core:member:list",
                "core:member:show",
                "core:review:list",
                REVIEW,
                "core:report:list",
                "core:switch:list",
                "core:comment:list",
                "core:comment:create",
                "core:history:show",
                "core:list:save",
                "core:event:list",
            ),
        ),
        Role("Service", ("core:metrics:show",)),
    ],
    actions=ACTIONS,
    reviews=[AUTOMATION_REVIEW],
    events=[
        Signalled,
        WebhookCalled,
        WebhookPinged,
        WebhookStopped,
        CommentMade,
        PluginQuarantined,
        CredentialChanged,
        MemberRegistered,
        OneTimeCodeRequested,
        MemberSuspended,
        MemberReactivated,
        MemberClosed,
        EmailVerified,
        MemberErased,
        ExportReady,
        ImpersonationStarted,
        ImpersonationEnded,
        ProfileCompleted,
        PasswordResetRequested,
        ReportMade,
        ReviewAssigned,
        ReviewDecided,
        ReviewEscalated,
        ReviewOpened,
        SignInFailed,
        SmsCodeRequested,
        VerificationRequested,
    ],
    subscribers=[Subscriber(event=SmsCodeRequested, handler=send_code, kind="external", lease_seconds=60)],
    widgets=[
        Widget(
            name="members",
            title=_("Members"),
            permission="core:member:list",
            load=queries.member_count,
            template="guildhall/widget_members.html",
            size="kpi",
            order=10,
        ),
        Widget(
            name="deliveries",
            title=_("Deliveries"),
            permission="core:event:list",
            load=queries.deliveries,
            template="guildhall/widget_deliveries.html",
            order=90,
        ),
    ],
    reports=REPORTS,
    switches=SWITCHES,
    schedules=[
        Schedule(name=automation_turns.CLOCK, job=automation_turns.CLOCK, every=timedelta(minutes=1)),
        Schedule(name="sweep_automations", job="sweep_automations", every=timedelta(hours=6)),
        Schedule(name="sweep_events", job=SWEEP_JOB, every=timedelta(hours=1)),
        Schedule(name="sweep_files", job="sweep_files", every=timedelta(hours=1)),
        Schedule(name="erase", job="erase", every=timedelta(hours=1)),
        Schedule(name="end_impersonations", job="end_impersonations", every=timedelta(minutes=5)),
        Schedule(name="sweep_exports", job="sweep_exports", every=timedelta(hours=1)),
        Schedule(name="sweep_signals", job=signals.SWEEP_JOB, every=timedelta(days=1)),
        Schedule(name="sweep_webhooks", job="sweep_webhooks", every=timedelta(hours=6)),
        Schedule(name="send_reports", job="send_reports", every=timedelta(minutes=5)),
        Schedule(name="sweep_reports", job="sweep_reports", every=timedelta(days=1)),
        Schedule(name="reseal", job="reseal", every=timedelta(days=1)),
        Schedule(name=answers.JOB, job=answers.JOB, every=timedelta(hours=1)),
        Schedule(name=old_sessions.JOB, job=old_sessions.JOB, every=timedelta(days=1)),
        Schedule(name=retention.JOB, job=retention.JOB, every=timedelta(days=1)),
    ],
    jobs=[
        Job(name=automation_turns.CLOCK, label=_("Start automations in time"), run=automation_turns.look),
        Job(name=automation_turns.JOB, label=_("Run an automation for members"), run=automation_turns.run_turn),
        Job(name="sweep_automations", label=_("Delete old runs of automations"), run=automation_runs.sweep),
        Job(name=bulk.JOB, label=_("Change many records"), run=bulk.run_job),
        Job(name=importing.JOB, label=_("Import records"), run=record_imports.run),
        Job(name=REPLAY_JOB, label=_("Replay deliveries"), run=run_replay),
        Job(name=SWEEP_JOB, label=_("Delete old events and deliveries"), run=run_sweep),
        Job(name="sweep_files", label=_("Take away files that nobody needs"), run=sweep),
        Job(name="erase", label=_("Erase members whose time has come"), run=erase.run),
        Job(name="export", label=_("Make a copy of a member's data"), run=export.run),
        Job(name="end_impersonations", label=_("End acting as others when its time is over"), run=impersonation.sweep),
        Job(name="sweep_exports", label=_("Take away copies whose time is over"), run=export.sweep),
        Job(name=signals.SWEEP_JOB, label=_("Forget old signals of members"), run=signals.sweep),
        Job(name="sweep_webhooks", label=_("Delete old attempts of webhooks"), run=webhook_delivery.sweep),
        Job(name="send_reports", label=_("Send the reports that are due"), run=report_sending.send),
        Job(name="sweep_reports", label=_("Take away old copies of reports"), run=report_sending.sweep),
        Job(name="reseal", label=_("Seal secrets under the current keys"), run=reseal),
        Job(name=answers.JOB, label=_("Forget old answers to requests and forms"), run=answers.run),
        Job(name=old_sessions.JOB, label=_("Delete sessions that ended long ago"), run=old_sessions.run),
        Job(name=retention.JOB, label=_("Take deleted records away whose time is over"), run=retention.run),
    ],
    uploads=[
        Upload(name="attachment", label=_("Attachment"), allowed=IMAGES | DOCUMENTS),
        Upload(
            name="comment",
            label=_("File of a comment"),
            allowed=IMAGES | DOCUMENTS,
            permission="core:comment:create",
        ),
        Upload(name="import", label=_("Records to import"), allowed=importing.MEDIA, permission=IMPORT),
        Upload(name="avatar", label=_("Picture of the profile"), allowed=IMAGES, max_bytes=2_000_000),
    ],
    commands=[audit, automation, events, import_command, keys, switch],
    hookspecs=hookspecs,
)
