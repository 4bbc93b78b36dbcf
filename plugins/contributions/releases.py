"""One release, whoever tells of it: a tag of a git history and GitHub's webhook have different keys for the same.

A history knows the commit of a tag, GitHub's webhook does not; what both have is the repository and the tag. Who comes
second takes the key of the first, so that the unique key makes it a duplicate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from guildhall import locks

from .intake import NewContribution
from .models import Contribution

RELEASE = "git.release"
_TAG, _REPOSITORY = Contribution.details["tag"].astext, Contribution.details["repository"].astext


def known(session: Session, rows: Sequence[NewContribution], source: str) -> list[NewContribution]:
    """``rows``, with the key of the first for releases that another ``source`` told of before.

    Whoever tells of the same repository meanwhile waits. Repositories are the same by their last name, and by the
    owner's too where both are known (``owner/name``).
    """
    told = {place: one for place, one in enumerate(rows) if one.type == RELEASE and one.details.get("tag")}
    if not told:
        return list(rows)
    tags = sorted({str(one.details["tag"]) for one in told.values()})
    names = {_name(one)[-1] for one in told.values()}
    for name in sorted(names):
        locks.advisory(session, f"contributions.release:{name}")
    query = select(Contribution.event_key, _TAG, func.lower(_REPOSITORY)).where(
        Contribution.type == RELEASE, Contribution.source != source, _TAG.in_(tags)
    )
    first: dict[str, list[tuple[list[str], str]]] = {}
    for key, tag, repository in session.execute(query.order_by(Contribution.id)):
        first.setdefault(tag, []).append(((repository or "").split("/"), key))
    found = list(rows)
    for place, one in told.items():
        for repository, key in first.get(str(one.details["tag"]), ()):
            if _same(repository, _name(one)):
                found[place] = replace(one, event_key=key)
                break
    return found


def _name(row: NewContribution) -> list[str]:
    return str(row.details.get("repository") or "").lower().split("/")


def _same(one: list[str], other: list[str]) -> bool:
    return one[-1] == other[-1] and (len(one) < 2 or len(other) < 2 or one[-2] == other[-2])
