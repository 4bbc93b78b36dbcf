"""The way of one event, told against the running system: from a commit to a reward, and nothing twice.

A git history is imported; its author reaches a milestone, earns badges, is paid from the reward fund and is told.
Then one more contribution arrives by REST, and its timeline shows every stage. Then things go wrong on purpose.
"""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.e2e.conftest import Running, wait_for

pytestmark = pytest.mark.xdist_group("e2e")
VERIFY = ("contributions verify", "badges verify", "ledger verify", "audit verify")


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of 24 commits by one author, over 24 days, with a tag."""
    folder = tmp_path_factory.mktemp("history")
    git = ["git", "-C", str(folder), "-c", "user.name=Grace Hopper", "-c", "user.email=grace@example.org"]
    subprocess.run([*git, "init", "-q"], check=True)
    for day in range(1, 25):
        when = f"2024-03-{day:02}T12:00:00+01:00"
        dated = {**os.environ, "GIT_AUTHOR_DATE": when, "GIT_COMMITTER_DATE": when}
        subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", f"day {day}"], check=True, env=dated)
    return folder


@pytest.fixture(scope="module")
def author(guildhall: Running, history: Path) -> dict[str, Any]:
    """The member that the import made of the author."""
    guildhall.command("contributions", "import-git", str(history))
    found = [row for row in guildhall.data("/api/v1/core/members?q=grace h.") if row["source"] == "import"]
    assert len(found) == 1
    member: dict[str, Any] = found[0]
    return member


def settled(guildhall: Running) -> bool:
    """Whether every delivery has been made."""
    lines = guildhall.call("GET", "/metrics").text.splitlines()
    pending = [line for line in lines if line.startswith("guildhall_deliveries{") and 'state="pending"' in line]
    return bool(pending) and all(line.endswith(" 0.0") for line in pending)


def test_an_author_becomes_a_masked_member_without_an_account(author: dict[str, Any]) -> None:
    assert author["email"] is None
    assert "Hopper" not in author["display_name"]


def test_the_import_leads_to_badges_rewards_and_notices(guildhall: Running, author: dict[str, Any]) -> None:
    wait_for("the deliveries", lambda: settled(guildhall))
    held = {award["badge"] for award in guildhall.data(f"/api/v1/badges/members/{author['id']}/badges")}
    assert {"contributor", "points-100", "commits-10", "streak-7"} <= held
    told = guildhall.data(f"/api/v1/notifications/notifications?member_id={author['id']}&limit=200")
    assert {"badge_awarded", "milestone_reached", "reward_paid"} <= {notice["kind"] for notice in told}
    rewards = guildhall.data(f"/api/v1/wallet/rewards?member_id={author['id']}")
    assert [reward["state"] for reward in rewards] == ["paid"]
    assert all(reward["asset"] == "POINTS" for reward in rewards)


def test_one_contribution_shows_every_stage_it_went_through(guildhall: Running, author: dict[str, Any]) -> None:
    key = {"Idempotency-Key": str(uuid4())}
    body = {"member_id": author["id"], "type": "challenge.win", "event_key": f"story-{uuid4()}"}
    first = guildhall.call("POST", "/api/v1/contributions/contributions", json=body, headers=key)
    assert first.status_code == 201, first.text
    recorded = first.json()["data"]
    assert sum(int(line["points"]) for line in recorded["breakdown"]) == int(recorded["points"])
    wait_for("the deliveries", lambda: settled(guildhall))
    stages = guildhall.data(f"/api/v1/contributions/contributions/{recorded['id']}")["stages"]
    assert [stage["stage"] for stage in stages][:4] == ["trigger", "score", "record", "progress"]

    again = guildhall.call("POST", "/api/v1/contributions/contributions", json=body, headers=key)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.json()["data"] == recorded
    twice = guildhall.call("POST", "/api/v1/contributions/contributions", json=body)
    assert twice.status_code == 409
    assert twice.json()["error"]["code"] == "DUPLICATE_EVENT"


def test_a_second_import_changes_nothing(guildhall: Running, history: Path, author: dict[str, Any]) -> None:
    before = guildhall.data(f"/api/v1/core/members/{author['id']}")
    assert "0 recorded" in guildhall.command("contributions", "import-git", str(history))
    assert guildhall.data(f"/api/v1/core/members/{author['id']}") == before


def test_a_worker_killed_in_the_middle_loses_and_doubles_nothing(guildhall: Running, tmp_path: Path) -> None:
    rows = ["key,member,occurred_at,type"]
    for member in range(40):
        rows += [
            f"kill-{member}-{n},kill-{member},2023-05-{1 + n % 28:02}T09:00:00+02:00,git.commit" for n in range(60)
        ]
    path = tmp_path / "killed.csv"
    path.write_text("\n".join(rows) + "\n")
    guildhall.command("contributions", "import-csv", str(path))
    for _ in range(3):
        for pid in guildhall.pids("worker"):
            os.kill(pid, signal.SIGKILL)
        wait_for("a new worker", lambda: guildhall.pids("worker"))
    wait_for("the deliveries", lambda: settled(guildhall))
    assert "0 recorded" in guildhall.command("contributions", "import-csv", str(path))


@pytest.mark.parametrize("words", VERIFY)
def test_the_books_hold(guildhall: Running, words: str) -> None:
    guildhall.command(*words.split())
