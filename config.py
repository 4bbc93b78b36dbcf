"""Boot settings: read once, typed, immutable. Nothing else reads the environment.

Precedence: environment (``GUILDHALL_*``) > ``guildhall.toml`` in the working directory > default.
Settings that an admin may change while Guildhall runs belong to a plugin's settings, not here.
"""

from __future__ import annotations

import base64
import os
import re
import secrets
import tempfile
import tomllib
from collections.abc import Callable, Mapping
from contextlib import suppress
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

PREFIX = "GUILDHALL_"
# Short names that `make run PORT=8000` style calls use; the long name wins.
OTHERS = (PREFIX + "SETTING_", PREFIX + "REQUIRE_BROWSER", PREFIX + "TEST_")
ALIASES = {"PORT": "port", "REPO": "repo", "DEMO": "demo", "OTEL_EXPORTER_OTLP_ENDPOINT": "otlp_endpoint"}


class ConfigError(Exception):
    """A boot setting is unknown or cannot be read; the message is one sentence for a person."""


class Config(BaseModel):
    """Every boot setting. ``Config.load()`` reads them; ``docs/operators.md`` lists them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    home: Path = Field(Path("var"), description="Folder for embedded engines, secrets, files and logs.")
    database_url: str | None = Field(None, description="PostgreSQL 18 URL; empty starts the embedded engine.")
    replica_url: str = Field(
        "", repr=False, description="PostgreSQL URL of a read replica; reports are read there. Empty: the database."
    )
    redis_url: str | None = Field(None, description="Redis URL; empty starts the embedded engine.")
    host: str = Field("127.0.0.1", description="Address the web server listens on.")
    port: int = Field(8000, ge=1, le=65535, description="Port the web server listens on.")
    public_url: str = Field("", description="Address people use; empty means http://HOST:PORT.")
    secret_key: str = Field("", repr=False, description="Signs cookies and tokens; empty makes one under HOME.")
    encryption_keys: str = Field(
        "",
        repr=False,
        description="Keys of secrets at rest, current first: `id:base64`, `aws-kms:<key>`; empty makes one under HOME.",
    )
    admin_email: str = Field("admin@example.org", description="E-mail of the first admin.")
    demo: bool | None = Field(None, description="Load the demo community; empty means: with embedded engines only.")
    repo: Path | None = Field(
        None, description="Git repository whose history is imported: at the first start all of it, later what is new."
    )
    safe_mode: bool = Field(False, description="Load the core alone, no plugin.")
    disabled_plugins: str = Field("", description="Comma-separated plugins that are not loaded at all.")
    plugin_path: str = Field("", description="Further folders with plugins, separated like PATH.")
    files_url: str = Field(
        "", repr=False, description="Where files lie: s3://bucket/prefix?endpoint=…&region=…; empty is HOME/files."
    )
    cdn_url: str = Field(
        "",
        description="Where a CDN gives out /static and public pictures, such as https://cdn.example.org; empty: this "
        "server does.",
    )
    smtp_url: str = Field("", repr=False, description="smtp://user:password@host:port; empty keeps mail in-app only.")
    mail_from: str = Field("Guildhall <no-reply@example.org>", description="Sender of e-mail.")
    trusted_proxies: int = Field(0, ge=0, le=8, description="Proxies in front whose X-Forwarded-* headers count.")
    https_redirect: bool = Field(
        False, description="Send plain HTTP on to PUBLIC_URL, which must be https; /health and /metrics never."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="DEBUG, INFO, WARNING or ERROR."
    )
    web_workers: int = Field(2, ge=1, le=64, description="Web processes.")
    web_threads: int = Field(8, ge=1, le=64, description="Threads of each web process.")
    worker_threads: int = Field(4, ge=1, le=64, description="Threads of the worker process.")
    log_addresses: Literal["full", "truncated", "none"] = Field(
        "truncated", description="IP addresses in the log: full, truncated (/24, /48) or none."
    )
    metrics_from: str = Field(
        "127.0.0.1, ::1", description="Networks that read /metrics without signing in, comma-separated."
    )
    metrics_port: int = Field(0, ge=0, le=65535, description="Port of a worker's or scheduler's own /metrics; 0: none.")
    webhook_networks: str = Field(
        "",
        description="Private networks that webhooks may reach all the same, also by plain http, comma-separated.",
    )
    otlp_endpoint: str = Field("", description="OTLP/HTTP collector that traces are sent to; empty makes none.")
    pool_size: int = Field(10, ge=1, le=100, description="Database connections of each process.")
    studio: bool = Field(
        False,
        description="Let admins write what they designed in Studio into the first folder of PLUGIN_PATH and apply its "
        "migration; off, they download it.",
    )
    conformance_routes: Literal["off", "on", "force"] = Field(
        "off",
        description="Routes for outside test kits, which empty the ledger for anybody: off, on (embedded database only)"
        " or force.",
    )

    @field_validator("database_url")
    @classmethod
    def _postgresql(cls, url: str | None) -> str | None:
        if url is not None and not re.match(r"postgres(ql(\+psycopg)?)?://", url):
            raise ValueError("give a PostgreSQL URL, like postgresql://user:password@host/database")
        return url and re.sub(r"^postgres(ql)?://", "postgresql+psycopg://", url)

    @field_validator("log_level", mode="before")
    @classmethod
    def _level(cls, level: object) -> object:
        return level.upper() if isinstance(level, str) else level

    @field_validator("admin_email")
    @classmethod
    def _address(cls, email: str) -> str:
        if not re.fullmatch(r"[^@\s]+@[^@\s]+", email):
            raise ValueError("give an e-mail address, like admin@example.org")
        return email

    @field_validator("https_redirect")
    @classmethod
    def _somewhere(cls, redirect: bool, others: ValidationInfo) -> bool:
        if redirect and not others.data.get("public_url", "").startswith("https://"):
            raise ValueError("set GUILDHALL_PUBLIC_URL to the https:// address to go to")
        return redirect

    @field_validator("conformance_routes")
    @classmethod
    def _harmless(cls, routes: str, others: ValidationInfo) -> str:
        if routes == "on" and others.data.get("database_url"):
            raise ValueError("these routes let anybody empty the ledger; take them off, or force them on this database")
        return routes

    @field_validator("encryption_keys")
    @classmethod
    def _keys(cls, setting: str) -> str:
        names = []
        for number, entry in enumerate(filter(None, map(str.strip, setting.split(","))), 1):
            name, _colon, rest = entry.partition(":")
            names.append(entry if name == "aws-kms" else name)
            if not re.fullmatch(r"[A-Za-z0-9._-]{1,60}", name) or not rest:
                raise ValueError(f"entry {number} must read id:base64 or aws-kms:<key>")
            if name != "aws-kms" and len(_bytes(rest)) != 32:
                raise ValueError(f"the key {name} must be 32 bytes in base64; `guildhall keys new` makes one")
        if len(names) != len(set(names)):
            raise ValueError("two keys have the same id")
        return setting

    @field_validator("cdn_url")
    @classmethod
    def _cdn(cls, url: str) -> str:
        if url and not re.fullmatch(r"https?://[a-z0-9.-]+(:\d+)?(/[A-Za-z0-9._~-]+)*/?", url):
            raise ValueError("give an address such as https://cdn.example.org, or leave it empty")
        return url.rstrip("/")

    @field_validator("files_url")
    @classmethod
    def _files(cls, url: str) -> str:
        if url and not re.match(r"s3://[a-z0-9][a-z0-9.-]+(/|\?|$)", url):
            raise ValueError("give s3://bucket/prefix, or leave it empty for a folder under HOME")
        return url

    @field_validator("redis_url")
    @classmethod
    def _redis(cls, url: str | None) -> str | None:
        if url is not None and not re.match(r"(rediss?|unix)://", url):
            raise ValueError("give a Redis URL, like redis://host:6379/0")
        return url

    @field_validator("metrics_from", "webhook_networks")
    @classmethod
    def _networks(cls, networks: str) -> str:
        for one in filter(None, map(str.strip, networks.split(","))):
            try:
                ip_network(one)
            except ValueError:
                raise ValueError("give networks, like 127.0.0.1, 10.0.0.0/8") from None
        return networks

    @property
    def url(self) -> str:
        """The address people use, without a trailing slash."""
        return (self.public_url or f"http://{self.host}:{self.port}").rstrip("/")

    @property
    def open_networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """``webhook_networks`` as networks."""
        return tuple(ip_network(one.strip()) for one in self.webhook_networks.split(",") if one.strip())

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
        if not config.secret_key:
            secret = _stored(home, "secret_key", lambda: secrets.token_urlsafe(48))
            config = config.model_copy(update={"secret_key": secret})
        if not config.encryption_keys:
            config = config.model_copy(update={"encryption_keys": cls._kept_keys(home)})
        return config

    @classmethod
    def _kept_keys(cls, home: Path) -> str:
        """The keys of HOME; none where it cannot be written, which whoever needs them is told then."""
        try:
            return cls.model_validate({"encryption_keys": _stored(home, "encryption_keys", new_key)}).encryption_keys
        except ValidationError as problem:
            told = " ".join(_sentence(error) for error in problem.errors())
            raise ConfigError(f"The file {home / 'encryption_keys'} cannot be used: {told}") from None
        except ConfigError:
            return ""


def new_key() -> str:
    """A fresh entry of ``encryption_keys``; its id is drawn too, so that two installations never share one."""
    return f"key-{secrets.token_hex(4)}:{base64.b64encode(secrets.token_bytes(32)).decode()}"


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return b""


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


def _stored(home: Path, name: str, make: Callable[[], str]) -> str:
    """A secret kept under HOME, made at the first start; readable by the owner alone, and never half written."""
    path = home / name
    try:
        home.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            made, draft = tempfile.mkstemp(prefix=f".{name}-", dir=home)
            try:
                with open(made, "w") as file:
                    file.write(make())
                    file.flush()
                    os.fsync(file.fileno())
                with suppress(FileExistsError):
                    os.link(draft, path)
            finally:
                os.unlink(draft)
        return path.read_text().strip()
    except OSError as problem:
        if problem.filename == str(path):
            raise ConfigError(f"The file {path} cannot be read: {problem.strerror}.") from None
        raise ConfigError(f"The folder {home} cannot be written: {problem.strerror}.") from None
