"""A small press for the tests of what a resource can declare: articles with states, figures, a cover, and a bin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict
from sqlalchemy import ForeignKey, Index, String, Table, func, text
from sqlalchemy.orm import Session, mapped_column

from guildhall import (
    IMAGES,
    Actor,
    Computed,
    Count,
    CreatedAt,
    FileRef,
    Id,
    Inline,
    Instant,
    Json,
    LongText,
    Mapped,
    MemberRef,
    Model,
    Operation,
    Permission,
    Plugin,
    Resource,
    Role,
    SearchText,
    Transition,
    Upload,
    choice,
)


class Desk(Model):
    __tablename__ = "press_desk"

    id: Mapped[Id]
    name: Mapped[str] = mapped_column(String(40), unique=True)
    deleted_at: Mapped[Instant | None]

    def __str__(self) -> str:
        return self.name


class Article(Model):
    __tablename__ = "press_article"
    __table_args__ = (
        Index("uq_press_article_slug", "slug", unique=True, postgresql_where=text("deleted_at IS NULL")),
        Index("ix_press_article_balance", text("(likes - dislikes)")),
    )

    id: Mapped[Id]
    author_id: Mapped[MemberRef]
    desk_id: Mapped[UUID | None] = mapped_column(ForeignKey("press_desk.id"), index=True)
    title: Mapped[SearchText]
    slug: Mapped[str | None] = mapped_column(String(60))
    body: Mapped[LongText | None]
    state: Mapped[str] = choice("draft", "review", "published", "archived", default="draft")
    likes: Mapped[Count] = mapped_column(default=0)
    dislikes: Mapped[Count] = mapped_column(default=0)
    cover_id: Mapped[FileRef | None]
    translations: Mapped[Json] = mapped_column(default=dict)
    created_at: Mapped[CreatedAt]
    deleted_at: Mapped[Instant | None]

    def __str__(self) -> str:
        return self.title


TABLES: list[Table] = [Desk.__table__, Article.__table__]


class Places(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    places: int = 1


def feature(session: Session, actor: Actor, article: Article, values: dict[str, Any]) -> None:
    article.likes += int(values["places"])


def words(session: Session, articles: Sequence[Article]) -> list[int]:
    return [len((article.body or "").split()) for article in articles]


COVER = Upload(name="cover", label="Cover", allowed=IMAGES, max_bytes=20_000)

plugin = Plugin(
    "press",
    version="1.0",
    label="Press",
    resources=[
        Resource(
            Article,
            icon="file-text",
            owner="author_id",
            search=("title",),
            columns=("title", "state", "balance", "words", "cover_id"),
            filters=("state", "balance"),
            bulk=("state", "likes"),
            states={"state": {"draft": "gray", "review": "yellow", "published": "green", "archived": "red"}},
            labels={"cover_id": "Cover"},
            transitions=(
                Transition("state", "draft", "review", label="Hand in"),
                Transition("state", "review", "published", permission="press:article:publish", name="publish"),
                Transition("state", ("review", "published"), "draft", reason=True, name="send_back", label="Send back"),
                Transition("state", ("draft", "review", "published"), "archived", danger=True),
            ),
            operations=(
                Operation(name="feature", label="Feature", permission="press:article:update", run=feature, form=Places),
            ),
            computed=(
                Computed(name="balance", label="Balance", kind="integer", sql=lambda one: one.likes - one.dislikes),
                Computed(name="words", label="Words", kind="integer", load=words),
                Computed(name="loud", label="Loud", sql=lambda one: func.upper(one.title)),
            ),
            soft_delete=True,
            keep_deleted_days=30,
            files={"cover_id": COVER},
            translated=("title", "body"),
        ),
        Resource(
            Desk,
            search=("name",),
            few=True,
            soft_delete=True,
            inline=(Inline(model=Article, by="desk_id", columns=("title", "balance", "cover_id")),),
        ),
    ],
    permissions=[Permission("press:article:publish", "Publish articles")],
    roles=[
        Role("User", ("press:article:create",)),
        Role("Service", ("press:article:show", "press:article:publish")),
        Role("Moderator", ("press:article:list", "press:article:show", "press:article:update", "press:article:create")),
    ],
)
