from plugins.notifications import notify

from .models import Suggestion


def thank_author(session, actor, event):
    author = session.get(Suggestion, event.payload.id).author_id
    notify(session, actor, member_id=author, kind="suggestion_thanks", reference=f"{event.id}")
