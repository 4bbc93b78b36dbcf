"""The core's own routes, of which each module brings a part."""

from core.rest import (
    api_keys,
    automations,
    bulk,
    codes,
    comments,
    factors,
    files,
    me,
    members,
    privacy,
    profile,
    registration,
    reports,
    reviews,
    wallets,
)
from core.rest.auth import rest

__all__ = [
    "api_keys",
    "automations",
    "bulk",
    "codes",
    "comments",
    "factors",
    "files",
    "me",
    "members",
    "privacy",
    "profile",
    "registration",
    "reports",
    "rest",
    "reviews",
    "wallets",
]
