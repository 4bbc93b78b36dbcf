"""Contributions: record what members do, score it once, and keep everybody's progress."""

from __future__ import annotations

from guildhall import Job, MenuItem, Permission, Plugin, Resource, Role, Subscriber, Widget, _

from . import admin, commands, handlers, hooks, hookspecs, jobs, rest, service
from .events import BatchRecorded, ContributionRecorded, MilestoneReached, RewardRequested
from .models import Contribution, ContributionType, Milestone
from .seed import seed
from .settings import ContributionSettings

plugin = Plugin(
    "contributions",
    version="0.1.0",
    label=_("Contributions"),
    description=_("Record what members do for the community, score it once, and keep everybody's progress."),
    icon="sparkles",
    settings=ContributionSettings,
    resources=[
        Resource(
            Contribution,
            icon="sparkles",
            actions=("list", "show"),
            columns=("member.display_name", "type", "points", "state", "occurred_at"),
            filters=("member_id", "type", "state", "source", "occurred_at"),
            order="-occurred_at",
            owner="member_id",
            labels={"member.display_name": _("Member"), "member_id": _("Member"), "occurred_at": _("When")},
            states={"state": {"counted": "green", "pending": "yellow", "rejected": "red", "reversed": "gray"}},
            page="/admin/contributions/contribution/{id}",
            audit=False,
            events=False,
            rest=False,
        ),
        Resource(
            ContributionType,
            label=_("Contribution type"),
            icon="category",
            columns=("code", "label", "base_points", "cap", "counts_for_streak", "enabled", "version"),
            fields=(
                "code",
                "label",
                "base_points",
                "bonus",
                "tiers",
                "limits",
                "cap",
                "counts_for_streak",
                "enabled",
            ),
            search=("code", "label"),
            filters=("enabled",),
            order="code",
            help={
                "code": _("How events name it, such as git.commit. It cannot change once contributions use it."),
                "base_points": _("Points before bonus and tier."),
                "bonus": _('List such as [{"label": "Weekend", "points": 5, "min_details": {"lines": 10}}].'),
                "tiers": _('Multipliers of the base in basis points by tier: {"pro": 15000} adds half of it.'),
                "limits": _('List such as [{"per": "day", "count": 5}]; hour, day, week, month (UTC) or ever.'),
                "cap": _("Most points one contribution can bring; empty for no cap."),
            },
            create=service.create_type,
            update=service.update_type,
        ),
        Resource(
            Milestone,
            icon="flag",
            columns=("threshold", "label", "reward_amount", "reward_asset", "enabled"),
            fields=("threshold", "label", "reward_amount", "reward_asset", "enabled"),
            filters=("enabled",),
            order="threshold",
            help={"reward_amount": _("In the asset's smallest unit; 0 for none. Paid once for each member.")},
        ),
    ],
    permissions=[
        Permission("contributions:contribution:create", _("Record contributions of any member")),
        Permission("contributions:leaderboard:show", _("See the leaderboard")),
    ],
    roles=[
        Role("User", ("contributions:leaderboard:show",)),
        Role("Moderator", ("contributions:leaderboard:show", "contributions:*:list", "contributions:*:show")),
        Role("Service", ("contributions:contribution:create",)),
    ],
    events=[ContributionRecorded, BatchRecorded, MilestoneReached, RewardRequested],
    subscribers=[Subscriber(event=MilestoneReached, handler=handlers.reward_milestone)],
    jobs=[
        Job(name="import_git", label=_("Import a git history"), run=jobs.import_git),
        Job(name="recalculate", label=_("Recalculate progress"), run=jobs.recalculate),
    ],
    rest=rest.rest,
    pages=admin.pages,
    menu=[
        MenuItem(
            label=_("Leaderboard"),
            url="/admin/contributions/leaderboard",
            icon="trophy",
            permission="contributions:leaderboard:show",
        ),
    ],
    widgets=[
        Widget(
            name="recent",
            title=_("Contributions in 30 days"),
            permission="contributions:contribution:list",
            load=admin.recent_kpi,
            template="contributions/widget_recent.html",
            size="kpi",
            order=10,
        ),
        Widget(
            name="days",
            title=_("Contributions by day"),
            permission="contributions:contribution:list",
            load=admin.day_chart,
            template="contributions/widget_days.html",
            order=20,
        ),
        Widget(
            name="top",
            title=_("Leaderboard"),
            permission="contributions:leaderboard:show",
            load=admin.top_members,
            template="contributions/widget_top.html",
            order=30,
        ),
    ],
    commands=[commands.group],
    hookspecs=hookspecs,
    hooks=hooks,
    seed=seed,
)
