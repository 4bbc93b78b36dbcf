"""Badges: what members can earn, who has earned it, and why."""

from __future__ import annotations

from guildhall import MenuItem, Permission, Plugin, Resource, Role, Section, Subscriber, Widget, _
from plugins.contributions import BatchCorrected, BatchRecorded, ContributionCorrected, ContributionRecorded

from . import actions, categories, corrections, handlers, hooks, hookspecs, reports, rest_catalogue, service, shown
from .admin import pages, public, rarity
from .commands import badges
from .describe import describe
from .events import BadgeAwarded, BadgeRevoked, BatchAwarded
from .jobs import recalculate_job
from .models import Award, Badge, Category
from .pictures import UPLOAD
from .seeds import seed
from .settings import BadgeSettings

plugin = Plugin(
    "badges",
    version="0.1.0",
    label=_("Badges"),
    description=_("Badges that members earn by what they do, each with its criteria, its holders and its reasons."),
    icon="award",
    requires={"contributions": ">=0.1"},
    settings=BadgeSettings,
    resources=[
        Resource(
            Badge,
            icon="award",
            actions=("list", "show", "create", "update"),
            columns=("name", "slug", "category", "level", "visibility", "enabled", "version", "created_at"),
            fields=(
                "name",
                "slug",
                "description",
                "category",
                "level",
                "icon",
                "visibility",
                "criteria",
                "enabled",
                "active_from",
                "active_until",
                "supply_limit",
                "reward_amount",
                "reward_asset",
            ),
            sections=(
                Section(title=_("What it is"), fields=("name", "slug", "description", "category", "level", "icon")),
                Section(title=_("Who earns it"), fields=("visibility", "criteria", "enabled")),
                Section(
                    title=_("When, how often, and what it brings"),
                    fields=("active_from", "active_until", "supply_limit", "reward_amount", "reward_asset"),
                    folded=True,
                ),
            ),
            search=("name", "slug"),
            few=True,
            filters=("category", "level", "visibility", "enabled"),
            order="slug",
            labels={
                "active_from": _("Earned from"),
                "active_until": _("Earned until"),
                "supply_limit": _("Supply"),
                "reward_amount": _("Reward"),
                "reward_asset": _("Paid in"),
                "version": _("Criteria version"),
                "enabled": _("Can be earned"),
            },
            help={
                "slug": _("Lower-case letters, digits and hyphens; cannot be changed later."),
                "category": _("One of the categories that are listed under Categories."),
                "level": _("1 to 5, shown as bronze to diamond; empty for none."),
                "icon": _(
                    "Name of an icon, such as star, trophy, flame or rocket; shown where no picture is uploaded."
                ),
                "visibility": _("Public: shown to all. Hidden: criteria shown once earned. Secret: shown once earned."),
                "criteria": _(
                    "Who earns it, as JSON: a condition with a type, or all, any or not. Preview counts who would."
                ),
                "active_from": _("Members earn it from this moment (UTC); empty for always."),
                "active_until": _("Members earn it until just before this moment (UTC)."),
                "supply_limit": _("At most so many are ever awarded; empty for no limit."),
                "reward_amount": _("Paid once to each member who is given the badge, in smallest units; 0 for none."),
                "reward_asset": _("Code of the asset, such as POINTS."),
            },
            states={"visibility": {"public": "green", "hidden": "yellow", "secret": "purple"}},
            create=service.create_badge,
            update=service.update_badge,
            form=lambda session: {"editing": describe(session)},
            form_template="badges/form.html",
            rest=False,
            graphql=(
                "id",
                "slug",
                "name",
                "description",
                "category",
                "level",
                "icon",
                "visibility",
                "criteria",
                "version",
                "enabled",
                "active_from",
                "active_until",
                "supply_limit",
                "reward_amount",
                "reward_asset",
                "created_at",
            ),
            page="/admin/badges/gallery/{id}",
            display=shown.badges,
            choices={"category": shown.categories},
        ),
        Resource(
            Category,
            label_plural=_("Categories"),
            icon="category",
            columns=("name", "slug", "position"),
            fields=("name", "slug", "position"),
            search=("slug",),
            few=True,
            order="slug",
            labels={"position": _("Place")},
            help={
                "slug": _("Lower-case letters, digits and hyphens; cannot be changed later."),
                "position": _("Categories with a smaller number come first."),
            },
            create=categories.create_category,
            update=categories.update_category,
            delete=categories.delete_category,
            display=shown.category_names,
            detail=shown.category_detail,
            detail_template="badges/category.html",
        ),
        Resource(
            Award,
            icon="medal",
            actions=("list", "show"),
            columns=("awarded_at", "badge", "member", "source", "badge_version", "revoked_at"),
            filters=("badge_id", "member_id", "source", "awarded_at", "revoked_at"),
            order="-id",
            labels={
                "badge_id": _("Badge"),
                "member_id": _("Member"),
                "badge_version": _("Criteria version"),
                "contribution_id": _("Tipped by"),
                "facts": _("Measured"),
            },
            states={"source": {"evaluator": "green", "recalculation": "blue", "manual": "purple"}},
            audit=False,
            events=False,
            display=shown.awards,
            title=shown.award_title,
        ),
    ],
    permissions=[
        Permission("badges:award:create", _("Give badges by hand")),
        Permission("badges:award:revoke", _("Remove badges from members")),
        Permission("badges:badge:preview", _("Preview who would earn a badge")),
        Permission("badges:badge:recalculate", _("Recalculate badges")),
    ],
    roles=[
        Role(
            "Moderator",
            (
                "badges:badge:list",
                "badges:badge:show",
                "badges:badge:preview",
                "badges:category:list",
                "badges:category:show",
                "badges:award:list",
                "badges:award:show",
            ),
        ),
    ],
    events=[BadgeAwarded, BatchAwarded, BadgeRevoked],
    subscribers=[
        Subscriber(event=ContributionRecorded, handler=handlers.evaluate),
        Subscriber(event=BatchRecorded, handler=handlers.evaluate_batch),
        Subscriber(event="contributions.identity.claimed", handler=handlers.evaluate_claim),
        Subscriber(event="core.member.email_verified", handler=handlers.evaluate_email),
        Subscriber(event=BatchAwarded, handler=handlers.reward_batch),
        Subscriber(event=ContributionCorrected, handler=corrections.on_correction),
        Subscriber(event=BatchCorrected, handler=corrections.on_batch_correction),
    ],
    actions=actions.ACTIONS,
    reviews=[corrections.UNDESERVED],
    jobs=[recalculate_job],
    rest=rest_catalogue.rest,
    pages=pages,
    public_pages=public,
    uploads=[UPLOAD],
    menu=[
        MenuItem(
            label=_("Gallery"),
            url="/admin/badges/gallery",
            icon="layout-grid",
            permission="badges:badge:list",
            order=10,
        ),
        MenuItem(
            label=_("Tree"),
            url="/admin/badges/tree",
            icon="sitemap",
            permission="badges:badge:list",
            order=20,
        ),
    ],
    reports=reports.REPORTS,
    widgets=[
        Widget(
            name="rarity",
            title=_("Badges by rarity"),
            permission="badges:badge:list",
            load=rarity,
            template="badges/widget_rarity.html",
            size="half",
            order=60,
        ),
    ],
    commands=[badges],
    hookspecs=hookspecs,
    hooks=hooks,
    seed=seed,
)
