"""What GitHub's webhooks say, as contributions. https://docs.github.com/en/webhooks/webhook-events-and-payloads

Keys are GitHub's own (commit hashes, ids), so a delivery that comes twice scores once, and commits that a git import
brought are not counted again. Bots and branches other than the default one bring nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from .errors import PayloadUnreadable
from .history import Line, Masked


def lines(event: str, payload: Mapping[str, Any], masked: Masked) -> list[tuple[str, Line]]:
    """(kind of identity, line) of each contribution; none for events that are none. Raises PayloadUnreadable."""
    read = _READERS.get(event)
    if read is None:
        return []
    try:
        found = list(read(payload, masked))
    except (KeyError, TypeError, AttributeError, ValueError) as problem:
        raise PayloadUnreadable(problem=f"{event}: {type(problem).__name__}") from None
    return found


def _push(payload: Mapping[str, Any], masked: Masked) -> Iterator[tuple[str, Line]]:
    repository = payload["repository"]
    if payload["ref"] != f"refs/heads/{repository['default_branch']}":
        return
    for number, commit in enumerate(payload["commits"]):
        author = commit["author"]
        address = author.get("email") or ""
        if "[bot]" in (author.get("username") or author.get("name") or "") or not address:
            continue
        subject = masked.subject(address)
        merge = commit["message"].startswith(("Merge pull request #", "Merge branch ", "Merge remote-tracking branch "))
        line = Line(
            number=number,
            key=commit["id"],
            subject=subject,
            name=masked.name(author.get("name") or "", subject),
            occurred_at=_time(commit["timestamp"]),
            type="git.merge" if merge else "git.commit",
            details={"repository": repository["full_name"]},
        )
        yield "git", line


def _pull_request(payload: Mapping[str, Any], masked: Masked) -> Iterator[tuple[str, Line]]:
    request = payload["pull_request"]
    if payload["action"] == "closed" and request["merged"]:
        more = {
            "number": request["number"],
            "lines": int(request.get("additions", 0)) + int(request.get("deletions", 0)),
        }
        key = request["merge_commit_sha"]
        yield from _by_handle(payload, masked, request["user"], "git.merge", key, request["merged_at"], more)


def _review(payload: Mapping[str, Any], masked: Masked) -> Iterator[tuple[str, Line]]:
    review, request = payload["review"], payload["pull_request"]
    if payload["action"] == "submitted" and review["user"]["login"] != request["user"]["login"]:
        more = {"number": request["number"], "state": review["state"]}
        key = f"review:{review['id']}"
        yield from _by_handle(payload, masked, review["user"], "git.review", key, review["submitted_at"], more)


def _issue(payload: Mapping[str, Any], masked: Masked) -> Iterator[tuple[str, Line]]:
    issue = payload["issue"]
    if payload["action"] == "closed" and issue.get("state_reason") != "not_planned":
        who = issue.get("assignee") or payload["sender"]
        more = {"number": issue["number"]}
        yield from _by_handle(payload, masked, who, "git.issue", f"issue:{issue['id']}", issue["closed_at"], more)


def _release(payload: Mapping[str, Any], masked: Masked) -> Iterator[tuple[str, Line]]:
    release = payload["release"]
    if payload["action"] == "published" and not release.get("draft"):
        more = {"tag": release["tag_name"][:200]}
        key = f"release:{release['id']}"
        yield from _by_handle(payload, masked, release["author"], "git.release", key, release["published_at"], more)


def _by_handle(
    payload: Mapping[str, Any],
    masked: Masked,
    who: Mapping[str, Any],
    code: str,
    key: str,
    at: str,
    details: Mapping[str, Any],
) -> Iterator[tuple[str, Line]]:
    if who.get("type") == "Bot":
        return
    subject = masked.subject(who["login"])
    line = Line(
        number=0,
        key=str(key),
        subject=subject,
        name=masked.name("", subject),
        occurred_at=_time(at),
        type=code,
        details={"repository": payload["repository"]["full_name"], **details},
    )
    yield "github", line


def _time(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    if at.utcoffset() is None:
        raise ValueError("a time without offset")
    return at


_READERS = {
    "push": _push,
    "pull_request": _pull_request,
    "pull_request_review": _review,
    "issues": _issue,
    "release": _release,
}
