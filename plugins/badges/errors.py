"""Refusals of the badges plugin."""

from __future__ import annotations

from guildhall import Conflict, Invalid, NotFound, Unavailable, _


class BadgeNotFound(NotFound):
    code = "BADGE_NOT_FOUND"
    sentence = _("There is no badge {badge}.")


class CategoryInUse(Conflict):
    code = "CATEGORY_IN_USE"
    sentence = _("There are badges of the category {category}: {badges}. Give them another one first.")


class InvalidCriteria(Invalid):
    """``place`` is where the first mistake is (``$.all[2].type``); ``details`` holds them all, under ``criteria``."""

    code = "INVALID_CRITERIA"
    sentence = _("The criteria cannot be used: at {place}, {problem}")


class NotEligible(Conflict):
    code = "USER_NOT_ELIGIBLE"
    sentence = _("This member cannot receive the badge: {reason}")


class BadgeAlreadyHeld(Conflict):
    code = "BADGE_ALREADY_HELD"
    sentence = _("{member} already holds the badge {badge}.")


class BadgeNotHeld(Conflict):
    code = "BADGE_NOT_HELD"
    sentence = _("{member} does not hold the badge {badge}, so it cannot be removed.")


class PreviewTooSlow(Unavailable):
    code = "PREVIEW_TIMEOUT"
    sentence = _("Counting who meets these criteria took longer than {seconds} seconds. Try again, or simplify them.")
