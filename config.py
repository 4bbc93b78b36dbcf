"""Boot settings: read once, typed, immutable. Nothing else reads the environment.

Precedence: environment (``GUILDHALL_*``) > ``guildhall.toml`` in the working directory > default.
Settings that an admin may change while Guildhall runs belong to a plugin's settings, not here.
"""

from __future__ import annotations

import os
import re
import secrets
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

PREFIX = "GUILDHALL_"
# Short names that `make run PORT=8000` style calls use; the long name wins.
OTHERS = (PREFIX + "SETTING_", PREFIX + "REQUIRE_BROWSER", PREFIX + "TEST_")
ALIASES = {"PORT": "port", "REPO": "repo", "DEMO": "demo"}


class ConfigError(Exception):
    """A boot setting is unknown or cannot be read; the message is one sentence for a person."""


class Config(BaseModel):
    """Every boot setting. ``Config.load()`` reads them; ``docs/operators.md`` lists them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    home: Path = Field(Path("var"), description="Folder for embedded engines, secrets, files and logs.")
    database_url: str | None = Field(None, description="PostgreSQL 18 URL; empty starts the embedded engine.")
    redis_url: str | None = Field(None, description="Redis URL; empty starts the embedded engine.")
    host: str = Field("127.0.0.1", description="Address the web server listens on.")
    port: int = Field(8000, ge=1, le=65535, description="Port the web server listens on.")
    public_url: str = Field("", description="Address people use; empty means http://HOST:PORT.")
    secret_key: str = Field("", repr=False, description="Signs cookies and tokens; empty makes one under HOME.")
    admin_email: str = Field("admin@example.org", description="E-mail of the first admin.")
    demo: bool | None = Field(None, description="Load the demo community; empty means: with embedded engines only.")
    repo: Path | None = Field(None, description="Git repository whose history is imported at the first start.")
    safe_mode: bool = Field(False, description="Load the core alone, no plugin.")
    disabled_plugins: str = Field("", description="Comma-separated plugins that are not loaded at all.")
    plugin_path: str = Field("", description="Further folders with plugins, separated like PATH.")
    smtp_url: str = Field("", repr=False, description="smtp://user:password@host:port; empty keeps mail in-app only.")
    mail_from: str = Field("Guildhall <no-reply@example.org>", description="Sender of e-mail.")
    trusted_proxies: int = Field(0, ge=0, le=8, description="Proxies in front whose X-Forwarded-* headers count.")
    log_level: str = Field("INFO", description="DEBUG, INFO, WARNING or ERROR.")
    web_workers: int = Field(2, ge=1, le=64, description="Web processes.")
    web_threads: int = Field(8, ge=1, le=64, description="Threads of each web process.")
    worker_threads: int = Field(4, ge=1, le=64, description="Threads of the worker process.")
    multiprocess_metrics: bool = Field(False, description="Sum /metrics over web processes; set by `guildhall web`.")
    pool_size: int = Field(10, ge=1, le=100, description="Database connections of each process.")

    @field_validator("database_url")
    @classmethod
    def _postgresql(cls, url: str | None) -> str | None:
        if url is not None and not re.match(r"postgres(ql(\+psycopg)?)?://", url):
            raise ValueError("give a PostgreSQL URL, like postgresql://user:password@host/database")
        return url and re.sub(r"^postgres(ql)?://", "postgresql+psycopg://", url)

    @field_validator("redis_url")
    @classmethod
    def _redis(cls, url: str | None) -> str | None:
        if url is not None and not re.match(r"(rediss?|unix)://", url):
            raise ValueError("give a Redis URL, like redis://host:6379/0")
        return url

    @property
    def url(self) -> str:
        """The address people use, without a trailing slash."""
        return (self.public_url or f"http://{self.host}:{self.port}").rstrip("/")

    @property
    def secure(self) -> bool:
        """Whether people reach Guildhall over TLS; cookies and HSTS follow it."""
        return self.url.startswith("https://")

    @property
    def embedded(self) -> bool:
        """Whether the database is the embedded engine."""
        return self.database_url is None

    @property
    def load_demo(self) -> bool:
        return self.embedded if self.demo is None else self.demo

    @classmethod
    def load(cls, environ: Mapping[str, str] | None = None, folder: Path | None = None) -> Config:
        """Read all boot settings. Raises ConfigError with every problem in one message."""
        environ = os.environ if environ is None else environ
        values: dict[str, Any] = _from_toml((folder or Path.cwd()) / "guildhall.toml")
        for short, name in ALIASES.items():
            if environ.get(short):
                values[name] = environ[short]
        for key, value in environ.items():
            if key.startswith(PREFIX) and not key.startswith(OTHERS) and value != "":
                values[key[len(PREFIX) :].lower()] = value
        try:
            config = cls(**values)
        except ValidationError as problem:
            lines = [f"{PREFIX}{'.'.join(map(str, e['loc'])).upper()}: {_sentence(e)}" for e in problem.errors()]
            raise ConfigError("Some settings cannot be used. " + " ".join(lines)) from None
        home = config.home if config.home.is_absolute() else (folder or Path.cwd()) / config.home
        config = config.model_copy(update={"home": home})
        return config if config.secret_key else config.model_copy(update={"secret_key": _stored_secret(home)})


def _sentence(error: Any) -> str:
    text: str = "there is no such setting" if error["type"] == "extra_forbidden" else error["msg"]
    return text.removeprefix("Value error, ") + "."


def _from_toml(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as problem:
        raise ConfigError(f"{path.name} cannot be read: {problem}") from None


def _stored_secret(home: Path) -> str:
    """The signing secret kept under HOME, made at the first start; readable by the owner alone."""
    path = home / "secret_key"
    try:
        home.mkdir(parents=True, exist_ok=True)
        try:
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(secrets.token_urlsafe(48))
        except FileExistsError:
            pass
        return path.read_text().strip()
    except OSError as problem:
        raise ConfigError(f"The folder {home} cannot be written: {problem.strerror}.") from None
