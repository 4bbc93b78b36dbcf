"""bandit finds nothing in core and plugins but what is named here with its reason."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Kinds that say nothing here: an assert for the type checker, and programs started from lists, never through a shell.
SKIPPED = "B101,B404,B603,B607"
ACCEPTED = {
    ("core/access.py", "B608"): "joined from constants of the module",
    ("core/members/api_keys.py", "B608"): "joined from constants of the module",
    ("core/members/sessions.py", "B608"): "joined from constants of the module",
    ("core/db/advice.py", "B112"): "a revision that this code does not know says nothing about those it knows",
    ("core/addresses.py", "B413"): "pycryptodome, which is kept, under the name of the library that is not",
    ("core/admin/automation_words.py", "B704"): "texts of our own catalogues; what is put in is escaped",
    ("core/expressions.py", "B105"): "tokens of a language, no passwords",
    ("core/admin/members.py", "B704"): "a rendered template, which escapes",
    ("core/admin/report_schedules.py", "B106"): "an empty form, no password",
    ("core/admin/saying.py", "B704"): "texts of our own catalogues, as Jinja's own gettext; what is put in is escaped",
    ("core/admin/webhooks.py", "B107"): "no secret to show",
    ("core/fab/differences.py", "B704"): "markup of constants; what is put in is escaped",
    ("core/db/renames.py", "B608"): "names of tables and columns as models declare them, written into a revision",
    ("core/imports/steps.py", "B311"): "a pause between two tries",
    ("core/studio/plan.py", "B608"): "names of tables and columns as models declare them, quoted",
    ("core/plugin_kit/people.py", "B105"): "nobody is signed in yet",
    ("core/plugin_kit/throwaway.py", "B108"): "a folder of a random name is made there",
    ("core/members/factors.py", "B608"): "joined from constants of the module",
    ("plugins/contributions/analytics.py", "B608"): "joined from constants of the module",
    ("plugins/contributions/queries.py", "B608"): "joined from constants of the module",
    ("plugins/badges/migrations/badges_0004_categories_pictures.py", "B608"): "joined from constants of the module",
    ("core/admin/profile.py", "B704"): "the QR code is drawn by us, as SVG",
    ("core/fab/record_pages.py", "B704"): "a rendered template, which escapes",
    ("core/events/deliver.py", "B311"): "jitter of a waiting time",
    ("core/jobs/run.py", "B311"): "jitter of a waiting time",
    ("core/members/models.py", "B105"): "the mark of a secret column, no password",
    ("core/members/tokens.py", "B105"): "the token type's name",
    ("plugins/badges/plugin.py", "B105"): "a colour",
    ("core/runtime/binaries.py", "B108"): "the last resort of root, who makes a folder of its own in it",
    ("core/runtime/sockets.py", "B108"): "the parent of a fresh private folder",
    ("core/runtime/web.py", "B108"): "gunicorn makes an unlinked file of its own there",
    ("plugins/demo/history.py", "B311"): "made-up people, the same from the same seed",
    ("plugins/demo/service.py", "B311"): "made-up people, the same from the same seed",
    ("plugins/contributions/boards.py", "B608"): "joined from constants of the module",
    ("plugins/contributions/intake.py", "B608"): "joined from constants of the module",
    ("plugins/contributions/milestones.py", "B608"): "joined from constants of the module",
    ("plugins/contributions/storing.py", "B608"): "joined from constants of the module",
    ("plugins/contributions/progress.py", "B608"): "joined from constants of the module",
    ("plugins/contributions/ranks.py", "B608"): "joined from constants of the module",
    ("plugins/contributions/rescoring.py", "B608"): "joined from constants of the module",
    ("plugins/contributions/verify.py", "B608"): "joined from constants of the module",
    ("plugins/wallet/verify.py", "B608"): "joined from constants of the module",
    ("core/runtime/binaries.py", "B103"): "programs that the unprivileged user of PostgreSQL must run",
    ("core/runtime/postgres.py", "B103"): "a folder that this user must pass through, not read",
}


def test_bandit_finds_nothing_new() -> None:
    command = [sys.executable, "-m", "bandit", "-q", "-r", "core", "plugins", "-f", "json", "--skip", SKIPPED]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    report = json.loads(done.stdout)
    assert report["errors"] == []
    found = {(one["filename"].removeprefix("./"), one["test_id"]): one["issue_text"] for one in report["results"]}
    assert {key: told for key, told in found.items() if key not in ACCEPTED} == {}
