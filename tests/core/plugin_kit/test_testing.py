"""The parts that the fixtures for plugins' tests are made of."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from standardwebhooks.webhooks import Webhook

from core.actor import Actor
from core.platform import Platform
from core.plugin_kit import people
from core.plugin_kit.sink import signed_by
from core.webhooks.wire import new_secret
from guildhall.testing import plugin_path, under_test


def made(folder: Path, name: str = "plugin.py") -> Path:
    folder.mkdir(parents=True)
    (folder / name).touch()
    return folder


def test_the_plugins_under_test_are_the_folder_or_those_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GUILDHALL_PLUGIN_PATH", raising=False)
    one, other = made(tmp_path / "some" / "one"), made(tmp_path / "some" / "other", "plugin.yaml")
    assert under_test(one) == [one] and plugin_path(one) == [str(tmp_path / "some")]
    assert under_test(tmp_path / "some") == [one, other] and plugin_path(tmp_path / "some") == [str(tmp_path / "some")]
    assert under_test(tmp_path) == [] and plugin_path(tmp_path) == []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GUILDHALL_PLUGIN_PATH", "some")
    assert plugin_path(one) == [str(tmp_path / "some")]  # once, however it is written


def test_our_own_run_is_about_no_plugin(pytestconfig: pytest.Config) -> None:
    assert under_test(pytestconfig.rootpath) == []


def test_a_signature_by_another_library_is_known_and_no_other() -> None:
    secret, body = new_secret(), b'{"type":"x"}'
    sent = datetime.now(UTC)
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(sent.timestamp())),
        "webhook-signature": "v1,wrong " + Webhook(secret).sign("msg_1", sent, body.decode()),
    }
    assert signed_by(secret, headers, body)
    assert not signed_by(new_secret(), headers, body)
    assert not signed_by(secret, headers, body + b" ")
    assert not signed_by(secret, {**headers, "webhook-id": "msg_2"}, body)
    assert not signed_by(secret, {}, body)


def test_a_member_holds_exactly_what_was_asked_for(clean_platform: Platform) -> None:
    with clean_platform.unit_of_work(Actor.system("test")) as session:
        first = people.made(session, ["wallet:transfer:show", "badges:badge:list"])
        second = people.made(session, ["badges:badge:list"])
        from core import access

        assert access.permissions_of(session, first.user_id or 0) == {"wallet:transfer:show", "badges:badge:list"}
        assert access.permissions_of(session, second.user_id or 0) == {"badges:badge:list"}
        with pytest.raises(LookupError, match="nobody:thing:do"):
            people.made(session, ["nobody:thing:do"])
        session.rollback()
