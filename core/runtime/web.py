"""The web process: gunicorn with threads; the application is loaded once and then forked."""

from __future__ import annotations

import os
import pkgutil
import shutil
import socket
import tempfile
import threading
from typing import TYPE_CHECKING, Any

from gunicorn.app.base import BaseApplication

from config import Config
from core.heap import loading
from core.runtime.lifeline import wait_until_prepared, watch

if TYPE_CHECKING:
    from flask import Flask

    from core.platform import Platform

FACTORY = "app:create_app"
SHARED = "PROMETHEUS_MULTIPROC_DIR"


def serve(config: Config) -> None:
    """Serve until told to stop. A page says that Guildhall is starting until the application is loaded."""
    if config.database_url is None:
        raise SystemExit("Set GUILDHALL_DATABASE_URL, or use `guildhall run`, which brings its own engines.")
    own = None if SHARED in os.environ else tempfile.mkdtemp(prefix="guildhall-metrics-")
    os.environ.setdefault(SHARED, own or "")  # read by prometheus_client when it is imported
    listener = _listen(config)
    watch()
    waiting = _Waiting(listener)
    waiting.start()
    with loading():
        from core.observability import traces
        from core.platform import Platform

        traces.setup(config.otlp_endpoint, process="web")
        app = application(Platform(config, config.database_url, config.redis_url))
    wait_until_prepared()
    waiting.stop()
    try:
        Server(app, config, listener).run()
    finally:
        if own:
            shutil.rmtree(own, ignore_errors=True)


def application(platform: Platform) -> Flask:
    """The web application. Its factory lies above the core, so it is named as WSGI servers name one."""
    made: Flask = pkgutil.resolve_name(FACTORY)(platform)
    return made


def _listen(config: Config) -> socket.socket:
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((config.host, config.port))
    listener.listen(256)
    os.set_inheritable(listener.fileno(), True)
    return listener


class _Waiting(threading.Thread):
    """Answers every connection with the page that refreshes itself, while the application loads."""

    def __init__(self, listener: socket.socket) -> None:
        super().__init__(daemon=True)
        self._listener = listener
        self._ended = threading.Event()

    def run(self) -> None:
        from core.runtime.starting import ANSWER

        self._listener.settimeout(0.05)
        while not self._ended.is_set():
            try:
                connection, _address = self._listener.accept()
            except TimeoutError:
                continue
            with connection:
                connection.settimeout(0.5)
                try:
                    connection.recv(65536)
                    connection.sendall(ANSWER)
                except OSError:
                    continue  # the visitor has gone

    def stop(self) -> None:
        self._ended.set()
        self.join()
        self._listener.settimeout(None)


class Server(BaseApplication):  # type: ignore[misc]
    """Gunicorn, set up by our own settings alone."""

    def __init__(self, app: Any, config: Config, listener: socket.socket) -> None:
        self._app, self._config, self._listener = app, config, listener
        super().__init__()

    def load_config(self) -> None:
        chosen = {
            "bind": f"fd://{self._listener.fileno()}",
            "workers": self._config.web_workers,
            "threads": self._config.web_threads,
            "worker_class": "core.runtime.patience.PatientWorker",
            "preload_app": True,
            "timeout": 60,
            "graceful_timeout": 10,
            "keepalive": 5,
            "accesslog": None,
            "loglevel": "warning",
            "proc_name": "guildhall",
            "worker_tmp_dir": "/dev/shm" if os.path.isdir("/dev/shm") else None,
            "child_exit": _forget,
        }
        for name, value in chosen.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        return self._app


def _forget(_server: Any, worker: Any) -> None:
    from prometheus_client import multiprocess

    multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]
