"""Why a comment is not taken."""

from __future__ import annotations

from core.errors import Conflict, Forbidden
from core.i18n import _


class AboutYourself(Forbidden):
    code = "COMMENT_ABOUT_YOURSELF"
    sentence = _("What others write about you is not shown to you here. Ask for the copy of your data.")


class NotYourComment(Forbidden):
    code = "COMMENT_NOT_YOURS"
    sentence = _("Only who wrote a comment can change it.")


class CommentTooOld(Conflict):
    code = "COMMENT_TOO_OLD"
    sentence = _("A comment can be changed for {minutes} minutes. Write another one.")


class CommentGone(Conflict):
    code = "COMMENT_GONE"
    sentence = _("This comment was deleted.")
