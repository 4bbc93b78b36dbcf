"""Keys from the environment, from a file under HOME, and from AWS KMS."""

from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from config import Config, ConfigError, new_key
from core.crypto.aws import KmsKey
from core.crypto.errors import KeyServiceSilent, KeyWrong
from core.crypto.wrapping import WrappingKeys
from tests.core.crypto.phones import key

DATA_KEY = bytes(range(32))


def wrapping(setting: str) -> WrappingKeys:
    return WrappingKeys.from_setting(setting)


def test_the_first_key_is_the_current_one() -> None:
    keys = wrapping(f"b:{key('b')}, a:{key('a')}")
    assert (keys.ids, keys.current.id) == (["b", "a"], "b")


def test_a_wrapped_key_opens_for_its_context_alone() -> None:
    current = wrapping(f"a:{key('a')}").current
    wrapped = current.wrap(DATA_KEY, "core.totp")
    assert DATA_KEY not in wrapped
    assert current.unwrap(wrapped, "core.totp") == DATA_KEY
    for given, context in ((wrapped, "core.other"), (wrapped[:-1], "core.totp"), (b"", "core.totp")):
        with pytest.raises(KeyWrong):
            current.unwrap(given, context)


@pytest.mark.parametrize(
    ("setting", "reason"),
    [
        ("c2VjcmV0", "entry 1 must read id:base64"),
        (f"a:{key('a')},b:", "entry 2 must read id:base64"),
        ("a:c2VjcmV0", "the key a must be 32 bytes"),
        ("a:not base64!", "the key a must be 32 bytes"),
        (f"a:{key('a')},a:{key('b')}", "two keys have the same id"),
        ("aws-kms:", "entry 1 must read id:base64"),
    ],
)
def test_a_setting_that_cannot_be_used_is_told_without_showing_it(setting: str, reason: str, tmp_path: Path) -> None:
    given = {"GUILDHALL_ENCRYPTION_KEYS": setting, "GUILDHALL_HOME": str(tmp_path)}
    with pytest.raises(ConfigError) as refused:
        Config.load(given, tmp_path)
    assert f"GUILDHALL_ENCRYPTION_KEYS: {reason}" in str(refused.value)
    assert "c2VjcmV0" not in str(refused.value)


def test_without_a_setting_a_key_is_made_under_home_once_for_its_owner_alone(tmp_path: Path) -> None:
    first = Config.load({"GUILDHALL_HOME": str(tmp_path / "home")}, tmp_path)
    kept = tmp_path / "home" / "encryption_keys"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert Config.load({"GUILDHALL_HOME": str(tmp_path / "home")}, tmp_path).encryption_keys == first.encryption_keys
    assert sorted(path.name for path in kept.parent.iterdir()) == ["encryption_keys", "secret_key"]
    assert wrapping(first.encryption_keys).current.id.startswith("key-")


def test_processes_that_start_at_once_agree_on_the_key(tmp_path: Path) -> None:
    given = {"GUILDHALL_HOME": str(tmp_path)}
    with ThreadPoolExecutor(8) as pool:
        made = set(pool.map(lambda _: Config.load(given, tmp_path).encryption_keys, range(8)))
    assert len(made) == 1


def test_a_file_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "encryption_keys").write_text("nonsense")
    with pytest.raises(ConfigError, match="encryption_keys cannot be used: entry 1 must read"):
        Config.load({"GUILDHALL_HOME": str(tmp_path)}, tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_where_home_cannot_be_written_there_is_no_key_until_it_is_needed(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    config = Config.load({"GUILDHALL_HOME": str(tmp_path), "GUILDHALL_SECRET_KEY": "x"}, tmp_path)
    assert config.encryption_keys == ""


def test_no_two_new_keys_are_alike() -> None:
    assert len({part for _ in range(5) for part in new_key().split(":")}) == 10


@pytest.fixture
def kms(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A KMS with one key, by moto; returns the key's ARN."""
    boto3, moto = pytest.importorskip("boto3"), pytest.importorskip("moto")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    with moto.mock_aws():
        yield boto3.client("kms").create_key()["KeyMetadata"]["Arn"]


def test_a_key_of_kms_wraps_and_opens_for_its_context_alone(kms: str) -> None:
    current = wrapping(f"aws-kms:{kms},old:{key('o')}").current
    assert current.id == f"aws-kms:{kms}"
    wrapped = current.wrap(DATA_KEY, "core.totp")
    assert current.unwrap(wrapped, "core.totp") == DATA_KEY
    with pytest.raises(KeyWrong):
        current.unwrap(wrapped, "core.other")
    with pytest.raises(KeyWrong):
        current.unwrap(b"nonsense", "core.totp")


def test_a_key_that_kms_does_not_know_is_one_sentence(kms: str) -> None:
    with pytest.raises(KeyServiceSilent, match=r"AWS KMS cannot be used: NotFoundException\."):
        KmsKey(kms[:-1] + "x").wrap(DATA_KEY, "core.totp")


def test_the_setting_takes_an_arn(kms: str) -> None:
    assert Config(encryption_keys=f"aws-kms:{kms},old:{key('o')}").encryption_keys
