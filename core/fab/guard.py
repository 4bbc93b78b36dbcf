"""Who may open a generated page: FAB's names of our views and actions, and the question before each page."""

from __future__ import annotations

from functools import wraps
from typing import Any

from core.gateway.request import actor
from core.lists.state import class_name as class_name
from core.resources.resource import Resource

# FAB's method for each of our actions.
METHODS = {"list": "list", "show": "show", "create": "add", "update": "edit", "delete": "delete"}
ACTIONS = {method: action for action, method in METHODS.items()}
# Which of our actions each further page of a record takes; the page asks for what it takes besides.
FURTHER = {
    "history": "show",
    "undo": "update",
    "bring_back": "update",
    "deleted": "list",
    "deleted_one": "list",
    "recreate": "create",
    "comments": "show",
    "comment": "show",
    "people": "show",
    "change_comment": "show",
    "delete_comment": "show",
    "comment_file": "show",
    "related": "show",
    "deletion": "delete",
}
ACTIONS |= FURTHER
OF_HISTORY = ("history", "undo", "bring_back", "deleted", "deleted_one", "recreate")
OF_DELETED = ("deleted", "deleted_one", "recreate")


def missing(resource: Resource) -> set[str]:
    """The further pages that a resource does not have."""
    found = {method for method, action in FURTHER.items() if action not in resource.actions}
    if not resource.audit:
        found.update(OF_HISTORY)
    if "delete" not in resource.actions or resource.soft_delete:
        found.update(OF_DELETED)
    return found if resource.inline else {*found, "related"}


def guarded(view: Any) -> Any:
    """Let pass who may reach at least some records; the gateway answers everybody else, as it does everywhere."""

    @wraps(view)
    def checked(self: Any, *arguments: Any, **path: Any) -> Any:
        self.bound.visible(actor(), ACTIONS[view.__name__])
        return view(self, *arguments, **path)

    return checked
