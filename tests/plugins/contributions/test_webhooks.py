"""Signed webhooks: what GitHub says scores once, whoever says it; a mapping reads anything else."""

from __future__ import annotations

import hashlib
import hmac
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.clock import frozen
from core.members.signals import MemberSignal
from core.platform import Platform
from guildhall import Actor, DomainError, Invalid, Member
from plugins.contributions import importing, webhooks
from plugins.contributions.history import Line, Masked
from plugins.contributions.models import Contribution, WebhookSource

from .conftest import findings

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
AT = "2026-03-10T11:00:00Z"
REPOSITORY = {"full_name": "guild/hall", "default_branch": "main"}
ADA, BOT = {"login": "Ada", "type": "User"}, {"login": "fixer", "type": "Bot"}


def commit(number: int, message: str = "Mend", **author: str) -> dict[str, Any]:
    who = {"name": "Ada Lovelace", "email": "ada@example.org", **author}
    return {"id": f"{number:040x}", "message": message, "timestamp": AT, "author": who}


def told(action: str, **more: Any) -> dict[str, Any]:
    return {"action": action, "repository": REPOSITORY, "sender": ADA, **more}


def pull(**more: Any) -> dict[str, Any]:
    request = {"number": 7, "merged": True, "merge_commit_sha": f"{2:040x}", "merged_at": AT, "user": ADA}
    return told("closed", pull_request={**request, "additions": 9, **more})


PUSH = {
    "ref": "refs/heads/main",
    "repository": REPOSITORY,
    "commits": [commit(1), commit(2, "Merge pull request #7 from guild/x"), commit(3, username="dependabot[bot]")],
}
REVIEW = {"id": 5, "user": ADA, "state": "approved", "submitted_at": AT}
ISSUE = {"id": 6, "number": 8, "closed_at": AT, "assignee": ADA}
RELEASE = {"id": 9, "tag_name": "v1", "author": ADA, "published_at": AT}


@pytest.fixture
def source(session: Session, system: Actor) -> WebhookSource:
    return webhooks.create_source(session, system, {"slug": "github", "label": "GitHub", "kind": "github"})


def send(
    session: Session, system: Actor, source: WebhookSource, event: str, payload: Any
) -> list[tuple[str, str | None]]:
    body = json.dumps(payload).encode()
    signature = "sha256=" + hmac.new(source.secret.encode(), body, hashlib.sha256).hexdigest()
    with frozen(NOON):
        found = webhooks.receive(
            session, system, source.slug, body=body, payload=payload, signature=signature, event=event
        )
    return [(one.outcome, one.code) for one in found]


def scored(session: Session) -> list[tuple[str, str]]:
    query = select(Contribution.type, Contribution.event_key).order_by(Contribution.event_key, Contribution.type)
    return list(session.execute(query).tuples().all())


def test_a_push_scores_commits_of_the_default_branch_once(
    session: Session, system: Actor, source: WebhookSource
) -> None:
    assert send(session, system, source, "push", PUSH) == [("recorded", None)] * 2
    assert send(session, system, source, "push", PUSH) == [("duplicate", None)] * 2
    assert send(session, system, source, "push", {**PUSH, "ref": "refs/heads/try"}) == []
    assert send(session, system, source, "pull_request", pull()) == [("duplicate", None)]
    assert scored(session) == [("git.commit", f"{1:040x}"), ("git.merge", f"{2:040x}")]
    [member] = session.scalars(select(Member).join(Contribution, Contribution.member_id == Member.id).distinct())
    assert (member.display_name, member.user_id, member.email) == ("Ada L.", None, None)
    assert findings(session) == []


def test_pull_requests_reviews_issues_and_releases(session: Session, system: Actor, source: WebhookSource) -> None:
    other = {"user": {"login": "bob", "type": "User"}, "number": 7}
    deliveries = [
        ("pull_request", pull(), 1),
        ("pull_request", pull(merged=False), 0),
        ("pull_request", pull(user=BOT, merge_commit_sha="b"), 0),
        ("pull_request_review", told("submitted", review=REVIEW, pull_request=other), 1),
        ("pull_request_review", told("submitted", review=REVIEW, pull_request={"user": ADA, "number": 7}), 0),
        ("issues", told("closed", issue=ISSUE), 1),
        ("issues", told("closed", issue={**ISSUE, "state_reason": "not_planned"}), 0),
        ("issues", told("opened", issue=ISSUE), 0),
        ("release", told("published", release=RELEASE), 1),
        ("ping", {"zen": "Keep it"}, 0),
    ]
    for event, payload, expected in deliveries * 2:
        assert len(send(session, system, source, event, payload)) == expected
    assert [code for code, _key in scored(session)] == ["git.merge", "git.issue", "git.release", "git.review"]
    members = set(session.scalars(select(Contribution.member_id)))
    assert len(members) == 1
    assert "Ada" not in str(session.execute(select(Contribution.details)).all())


def test_a_release_and_its_tag_count_once_whoever_comes_first(
    session: Session, system: Actor, source: WebhookSource
) -> None:
    masked = Masked(session.info["config"].secret_key)

    def imported(repository: str, tag: str) -> list[str]:
        line = Line(
            number=1,
            key=f"{'a' * 40}:{repository}:{tag}",
            subject=masked.subject("ada@example.org"),
            name="Ada",
            occurred_at=NOON,
            type="git.release",
            details={"repository": repository, "tag": tag},
        )
        return [one.outcome for one in importing._import(session, system, [line], "git")]

    def announced(number: int, tag: str) -> list[str]:
        payload = told("published", release={**RELEASE, "id": number, "tag_name": tag})
        return [outcome for outcome, _code in send(session, system, source, "release", payload)]

    assert imported("hall", "v1") == ["recorded"]
    assert announced(1, "v1") == ["duplicate"]
    assert announced(2, "v2") == ["recorded"]
    assert imported("guild/hall", "v2") == ["duplicate"]
    assert imported("somebody/else", "v2") == ["recorded"]
    assert announced(3, "v3") == ["recorded"]


def test_a_release_and_its_tag_told_at_once_count_once(platform: Platform, system: Actor) -> None:
    with platform.unit_of_work(system) as session:
        source = webhooks.create_source(session, system, {"slug": "github", "label": "GitHub", "kind": "github"})
        masked = Masked(session.info["config"].secret_key)

    def tell(n: int) -> str:
        tag = f"v{n // 8}"
        with platform.unit_of_work(system) as session:
            if n % 2:
                payload = told("published", release={**RELEASE, "id": n // 8, "tag_name": tag})
                return send(session, system, source, "release", payload)[0][0]
            line = Line(
                number=1,
                key=f"{'a' * 40}:{tag}",
                subject=masked.subject("ada@example.org"),
                name="Ada",
                occurred_at=NOON,
                type="git.release",
                details={"repository": "hall", "tag": tag},
            )
            return str(importing.take(session, system, [line], "git").outcomes[0].outcome)

    with ThreadPoolExecutor(16) as threads:
        outcomes = list(threads.map(tell, range(64)))
    assert (outcomes.count("recorded"), outcomes.count("duplicate")) == (8, 56)
    with platform.unit_of_work(system) as session:
        assert len(session.scalars(select(Contribution.id)).all()) == 8


@pytest.mark.parametrize("event", ["push", "pull_request", "pull_request_review", "issues", "release"])
@pytest.mark.parametrize("payload", [{}, {"commits": 1, "ref": 2, "repository": 3, "action": "closed"}, []])
def test_what_is_no_payload_is_refused_as_such(
    session: Session, system: Actor, source: WebhookSource, event: str, payload: Any
) -> None:
    with pytest.raises(DomainError) as refused:
        send(session, system, source, event, payload)
    assert refused.value.code == "PAYLOAD_UNREADABLE"


def test_a_wrong_signature_an_unknown_source_and_one_that_is_off(
    session: Session, system: Actor, source: WebhookSource
) -> None:
    body = json.dumps(PUSH).encode()
    for signature in ("", "sha256=", "sha1=abc", "sha256=" + "0" * 64, "sha256=é"):
        with pytest.raises(DomainError) as refused:
            webhooks.receive(session, system, "github", body=body, payload=PUSH, signature=signature, event="push")
        assert refused.value.code == "SIGNATURE_INVALID"
    webhooks.update_source(session, system, source, {"enabled": False})
    with pytest.raises(DomainError) as off:
        send(session, system, source, "push", PUSH)
    assert off.value.code == "NOT_FOUND"
    webhooks.update_source(session, system, source, {"enabled": True})
    _source, secret = webhooks.renew_secret(session, system, source.id)
    assert source.secret == secret
    assert len(send(session, system, source, "push", PUSH)) == 2


def test_a_mapping_reads_any_json(session: Session, system: Actor) -> None:
    mapping = {
        "items": "data.events",
        "type": {"path": "kind"},
        "member": {"path": "user.mail"},
        "key": {"path": "id"},
        "occurred_at": {"path": "at"},
        "details": {"course": "course.title", "first_tag": "tags.0"},
    }
    source = webhooks.create_source(session, system, {"slug": "school", "label": "School", "mapping": mapping})
    good = {"kind": "learning.completed", "user": {"mail": "ada@example.org"}, "id": 7, "at": AT}
    items = [
        {**good, "course": {"title": "CEL"}, "tags": ["x"]},
        good,
        {**good, "id": None},
        {**good, "id": 8, "at": "yesterday"},
        {**good, "id": 9, "kind": "no.such"},
        "text",
    ]
    found = send(session, system, source, "", {"data": {"events": items}})
    codes = [code or outcome for outcome, code in found]
    bad = ["INVALID_EVENT", "INVALID_EVENT", "INVALID_CONTRIBUTION_TYPE", "INVALID_EVENT"]
    assert codes == ["recorded", "duplicate", *bad]
    [made] = session.scalars(select(Contribution))
    assert (made.details, made.source) == ({"course": "CEL", "first_tag": "x"}, "webhook")
    with pytest.raises(Invalid) as wrong:
        webhooks.update_source(session, system, source, {"mapping": {"type": {"path": "x"}, "more": 1}})
    assert "more" in str(wrong.value.details)
    with pytest.raises(DomainError):
        send(session, system, source, "", {"data": {"events": [good] * 1001}})


def test_where_the_sender_saw_a_member_is_kept_as_a_hash_and_flags_a_farm(session: Session, system: Actor) -> None:
    mapping = {
        "items": "events",
        "type": {"const": "git.review"},
        "member": {"path": "who"},
        "key": {"path": "id"},
        "address": {"path": "ip"},
        "device": {"path": "browser"},
    }
    source = webhooks.create_source(session, system, {"slug": "shop", "label": "Shop", "mapping": mapping})

    def tell(first: int, browser: Any, ip: Any = "198.51.100.7") -> list[str]:
        events = [{"id": f"{first + n}", "who": f"u{n}", "browser": browser, "ip": ip} for n in range(5)]
        return [outcome for outcome, _code in send(session, system, source, "", {"events": events})]

    assert tell(0, None) == ["recorded"] * 5
    assert tell(10, {"a": 1}, ["x"]) == ["recorded"] * 5
    assert tell(20, "b" * 5000) == ["pending"] * 5
    values = session.execute(select(MemberSignal.kind, func.length(MemberSignal.value)).distinct()).tuples()
    assert sorted(values) == [("address", 32), ("device", 32)]


def test_over_the_wire_accepted_means_kept(app: Any, client: Any, platform: Any, system: Actor) -> None:
    with platform.unit_of_work(system) as session:
        secret = webhooks.create_source(session, system, {"slug": "github", "label": "GitHub", "kind": "github"}).secret
    body = json.dumps({**PUSH, "commits": [{**commit(1), "timestamp": datetime.now(UTC).isoformat()}]}).encode()
    url = "/api/v1/contributions/webhooks/github"
    signature = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    headers = {"X-Hub-Signature-256": signature, "X-GitHub-Event": "push", "X-GitHub-Delivery": "1"}
    for expected in ("recorded", "duplicate"):
        answer = client.http.post(url, data=body, content_type="application/json", headers=headers)
        assert (answer.status_code, answer.json["data"][expected]) == (200, 1)
    refused = client.http.post(url, data=body + b" ", content_type="application/json", headers=headers)
    assert (refused.status_code, refused.json["error"]["code"]) == (403, "SIGNATURE_INVALID")
    broken = client.http.post(url, data=b"{", content_type="application/json", headers=headers)
    assert broken.status_code == 422
    with platform.unit_of_work(system) as session:
        assert len(session.scalars(select(Contribution)).all()) == 1
