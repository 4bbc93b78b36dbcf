"""The one error the runtime raises: a sentence a person can act on."""

from __future__ import annotations

import errno
from pathlib import Path


class RuntimeProblem(Exception):
    """Something about this machine stops Guildhall; the message is one sentence for a person."""


class StartCancelled(RuntimeProblem):
    """Starting was given up because the caller asked for it."""


def from_os_error(problem: OSError, path: Path) -> RuntimeProblem:
    """Turn a failed file operation at ``path`` into a sentence."""
    if problem.errno in (errno.ENOSPC, errno.EDQUOT):
        return disk_full(path)
    return RuntimeProblem(f"{problem.filename or path} cannot be used: {problem.strerror or problem}.")


def disk_full(path: Path) -> RuntimeProblem:
    return RuntimeProblem(f"The disk that holds {path} is full; free some space and start again.")
