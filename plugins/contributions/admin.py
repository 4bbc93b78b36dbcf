"""Pages and widgets of contributions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from flask import request
from flask_babel import gettext
from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from guildhall import Actor, NotFound, _, now
from guildhall.web import PageBlueprint, flash, redirect, render, tried

from . import boards, queries
from .corrections import corrections_of
from .hooks import story
from .models import Contribution, ContributionType, Season
from .wording import CORRECTIONS, SOURCES, called

pages = PageBlueprint("contributions")
SEASONS = 100
PERIODS: tuple[queries.Period, ...] = ("all", "month", "week")


@pages.get("/leaderboard", permission="contributions:leaderboard:show")
def leaderboard_page(session: Session, actor: Actor) -> str:
    """The leaderboard of all time, of a month or of a week."""
    asked = request.args.get("period", "all")
    period = next((one for one in PERIODS if one == asked), PERIODS[0])
    try:
        at = datetime.strptime(request.args.get("at", ""), "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        at = queries.newest_at(session) or now()
    season = request.args.get("season", "")
    try:
        season_id = UUID(season) if season else None
    except ValueError:
        raise NotFound() from None
    code = request.args.get("type") or None
    board = queries.leaderboard(
        session, period=period, at=at, type=code, season_id=season_id, top=100, me=actor.member_id
    )
    return render(
        "contributions/leaderboard.html",
        board=board,
        periods=PERIODS,
        at=at.date(),
        asked={"period": period, "at": at.date().isoformat(), "type": code or "", "season": season},
        types=session.execute(select(ContributionType.code, ContributionType.label).order_by(ContributionType.code)),
        seasons=session.scalars(select(Season).order_by(Season.starts_at.desc()).limit(SEASONS)).all(),
        may_freeze=actor.can("contributions:leaderboard:freeze") and not season_id,
    )


@pages.post("/leaderboard/freeze", permission="contributions:leaderboard:freeze")
def freeze_page(session: Session, actor: Actor) -> Any:
    """Show a board to everybody as it stands now, or live again."""
    given = {name: request.form.get(name, "") for name in ("period", "at", "type")}
    kept = {name: value for name, value in given.items() if value}

    def act() -> None:
        try:
            at = datetime.strptime(given["at"], "%Y-%m-%d").replace(tzinfo=UTC) if given["at"] else now()
        except ValueError:
            raise NotFound() from None
        period = next((one for one in PERIODS if one == given["period"]), PERIODS[0])
        board = boards.find(session, period=period, at=at, type=given["type"] or None)
        if request.form.get("thaw"):
            boards.thaw(session, actor, board)
        else:
            boards.freeze(session, actor, board)

    if tried(session, act):
        flash(_("The leaderboard is live again.") if request.form.get("thaw") else _("The leaderboard is frozen."))
    return redirect(f"/admin/contributions/leaderboard?{urlencode(kept)}")


@pages.get("/contribution/<uuid:key>", permission="contributions:contribution:show")
def contribution_page(session: Session, actor: Actor, key: UUID) -> str:
    """A contribution with its breakdown and every stage of what it led to."""
    record = session.scalar(
        queries.contributions().where(Contribution.id == key).options(joinedload(Contribution.member))
    )
    if record is None:
        raise NotFound()
    type_of = session.scalar(select(ContributionType).where(ContributionType.code == record.type))
    return render(
        "contributions/contribution.html",
        record=record,
        type=type_of,
        stages=story(session, key),
        corrections=corrections_of(session, key),
        source=called(SOURCES, record.source),
        kinds=CORRECTIONS,
        may_correct=actor.can("contributions:contribution:correct"),
    )


def recent_kpi(session: Session) -> dict[str, Any]:
    """Contributions of the last 30 days, and the change in percent to the 30 days before."""
    this, before = queries.last_days(session)
    return {"this": this, "before": before, "delta": round((this - before) * 100 / before) if before else None}


def type_names(session: Session, records: Sequence[Contribution]) -> list[Mapping[str, Any]]:
    """What was contributed, by the name of its type in the reader's language, and what it is worth now."""
    names = queries.type_names(session)
    return [{"type": gettext(names.get(one.type, one.type)), "points": one.total} for one in records]


def day_chart(session: Session) -> dict[str, Any]:
    """Contributions by day, for the 90 days that end with the last day present."""
    days = queries.by_day(session)
    spec = {
        "type": "bar",
        "labels": [day.isoformat() for day, _ in days],
        "series": [{"name": gettext("Contributions"), "data": [count for _, count in days]}],
    }
    return {"spec": spec, "first": days[0][0] if days else None, "last": days[-1][0] if days else None}


def top_members(session: Session) -> dict[str, Any]:
    """The ten best of all time."""
    return {"board": queries.leaderboard(session, top=10)}
