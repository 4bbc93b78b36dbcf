"""The core's own manifest: it declares itself by the same means as any plugin."""

from __future__ import annotations

from core import hookspecs, queries
from core.i18n import _
from core.members.events import MemberRegistered
from core.members.models import Member
from core.plugin import MenuItem, Permission, Plugin, Role, Widget
from core.resource import Resource

core = Plugin(
    "core",
    version="0.1.0",
    label=_("Platform"),
    description=_("Members, access, events, jobs, audit and settings."),
    icon="building-community",
    resources=[
        Resource(
            Member,
            label=_("Member"),
            label_plural=_("Members"),
            icon="users",
            actions=("list", "show", "update"),
            columns=("display_name", "email", "status", "tier", "source", "joined_at"),
            fields=("display_name", "status", "tier", "locale", "time_zone"),
            search=("display_name", "email"),
            filters=("status", "tier", "source", "joined_at"),
            order="-joined_at",
            hidden=("user_id",),
            states={"status": {"active": "green", "suspended": "red", "closed": "gray"}},
            page="/admin/members/{id}",
        ),
    ],
    menu=[
        MenuItem(label=_("Dashboard"), url="/", icon="layout-dashboard", permission="core:dashboard:show", order=1),
        MenuItem(label=_("Events"), url="/admin/events", icon="activity", permission="core:event:list", order=60),
        MenuItem(label=_("Jobs"), url="/admin/jobs", icon="clock", permission="core:job:list", order=61),
        MenuItem(label=_("Plugins"), url="/admin/plugins", icon="puzzle", permission="core:plugin:list", order=62),
        MenuItem(label=_("Audit trail"), url="/admin/audit", icon="history", permission="core:audit:list", order=63),
        MenuItem(
            label=_("Settings"), url="/admin/settings", icon="settings", permission="core:settings:show", order=64
        ),
    ],
    permissions=[
        Permission("core:dashboard:show", _("See the dashboard")),
        Permission("core:member:create", _("Create members")),
        Permission("core:event:list", _("See the event stream")),
        Permission("core:delivery:replay", _("Replay deliveries")),
        Permission("core:job:list", _("See background jobs")),
        Permission("core:job:manage", _("Cancel and retry background jobs")),
        Permission("core:plugin:list", _("See the plugins and their states")),
        Permission("core:plugin:toggle", _("Turn plugins on and off")),
        Permission("core:audit:list", _("See the audit trail")),
        Permission("core:settings:show", _("See settings")),
        Permission("core:settings:update", _("Change settings")),
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
                "core:event:list",
                "core:job:list",
                "core:plugin:list",
            ),
        ),
        Role("Service", ("core:metrics:show",)),
    ],
    events=[MemberRegistered],
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
    hookspecs=hookspecs,
)
