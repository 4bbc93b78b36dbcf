"""Real processes that begin in a moment and can be killed at an exact point.

Run as a script it loads the platform once, opens no connection, and forks a process for each line it reads:
``web PORT``, ``worker``, ``scheduler`` or ``ledger ACT``, perhaps with a point. A point is ``when text``: it is killed
with its group (SIGKILL) when a statement with that text was executed (``after``), before its transaction is committed
(``before``), or when it was committed (``committed``). It answers each line with the id of the new process.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine, event
from sqlalchemy.orm import Session

if TYPE_CHECKING:
    from core.platform import Platform

seen = threading.local()


def kill_at(when: str, wanted: str) -> None:
    """Kill this process and those it forked, without a word, at the point."""

    def here() -> None:
        os.killpg(0, signal.SIGKILL)

    def executed(_connection: Any, cursor: Any, statement: str, *_rest: Any) -> None:
        # The statement of events counts their deliveries, of which there may be none.
        if wanted in statement and (cursor.rowcount != 0 or wanted.endswith("core_event")):
            if when == "after":
                here()
            seen.it = True

    def committing(_connection: Any) -> None:
        if when == "before" and getattr(seen, "it", False):
            here()

    def committed(session: Session) -> None:
        if when == "committed" and getattr(seen, "it", False) and not session.in_nested_transaction():
            here()

    event.listen(Engine, "after_cursor_execute", executed)
    event.listen(Engine, "commit", committing)
    event.listen(Session, "after_commit", committed)


def begin(platform: Platform, app: Any, kind: str, port: str) -> None:
    if kind == "web":
        from core.runtime.lifeline import watch
        from core.runtime.web import Server

        watch()
        listener = socket.create_server(("127.0.0.1", int(port)))
        listener.set_inheritable(True)
        Server(app, platform.config, listener).run()
    elif kind == "worker":
        from core.runtime.worker import work

        work(platform)
    elif kind == "ledger":
        from tests.faults.ledger_acts import act

        act(platform, port)
    else:
        from core.runtime.scheduler import lead

        lead(platform)


def main(home: str, database_url: str, redis_url: str) -> None:
    from app import create_app
    from core import logs
    from core.platform import Platform
    from tests.conftest import test_config
    from tests.faults import alpha_plugin as alpha

    logs.configure("WARNING", process="nursery")
    config = test_config(home=Path(home), web_workers=1, web_threads=4, worker_threads=2)
    platform = Platform(config, database_url, redis_url, [alpha.plugin])
    app = create_app(platform)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel buries them
    for line in sys.stdin:
        kind, port, when, wanted = line.rstrip("\n").split("\t")
        pid = os.fork()
        if not pid:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.setpgid(0, 0)
            if when:
                kill_at(when, wanted)
            begin(platform, app, kind, port)
            os._exit(0)
        with suppress(PermissionError, ProcessLookupError):  # it was faster, perhaps to its end
            os.setpgid(pid, pid)
        print(pid, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
