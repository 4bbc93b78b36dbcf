"""A suggestion box: members suggest, moderators answer, and every author is thanked."""

from pydantic import Field

from guildhall import FullText, Id, Mapped, MemberRef, Model, SearchText, choice

# isort: split
from guildhall import Plugin, Resource, Role, Settings, Subscriber, _, read_settings
from plugins.notifications import notify


class Suggestion(Model):
    __tablename__ = "suggestions_suggestion"
    id: Mapped[Id]
    author_id: Mapped[MemberRef]
    title: Mapped[SearchText]
    body: Mapped[FullText]
    status: Mapped[str] = choice("new", "planned", "done", "declined", default="new")


class SuggestionSettings(Settings):
    thank_authors: bool = Field(True, description=_("Thank members for their suggestions."))


def thank_author(session, actor, event):
    if read_settings(session, SuggestionSettings).thank_authors:
        author = session.get(Suggestion, event.payload.id).author_id
        notify(session, actor, member_id=author, kind="suggestion_thanks", reference=f"{event.id}")


plugin = Plugin(
    "suggestions", version="0.1.0", label=_("Suggestions"), icon="bulb",
    requires={"notifications": ">=0.1"}, settings=SuggestionSettings, resources=[Resource(
        Suggestion, owner="author_id", search=["title", "body"], filters=["status"])],
    subscribers=[Subscriber(event="suggestions.suggestion.created", handler=thank_author)],
    roles=[Role("User", ("suggestions:*:create",)), Role("Moderator", ("suggestions:*:*",))],
)  # fmt: skip
