"""sqlmap against every filter, search, order and cursor of every list, in pages and REST; no part of the suite.

``make sqlmap`` (``python -m tests.contract.sqlmap [PART OF A PATH …]``) starts a throwaway PostgreSQL, Redis and
site on loopback, writes some records, and lets sqlmap try each list as an admin: level 1 and risk 1, the five
techniques that PostgreSQL allows. ``LEVEL=3 RISK=2`` tries more and takes an hour. It ends with 1 where sqlmap finds
an injection or does not come to a verdict, or where it misses a list that was made to be injected into. sqlmap itself
is fetched by uv when it is first used.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from flask import g, request
from sqlalchemy import text
from werkzeug.serving import make_server

from core import access, logs
from core.actor import Actor
from core.db.base import metadata
from core.ids import new_id
from core.platform import Platform
from tests.core import library
from tests.core.doors import Person

SQLMAP = "sqlmap==1.10.10"
CANARY = "/api/v1/canary?title=a"
CLEAN = "all tested parameters do not appear to be injectable"
EMAIL, PASSWORD = "sqlmap@example.org", "correct horse battery"
SAMPLES = {"integer": "1", "boolean": "true", "uuid": "01990000-0000-7000-8000-000000000000", "date": "2024-01-01"}
SAMPLES["date-time"] = "2024-01-01T00:00:00Z"


def rest_lists(document: Any, browser: Person) -> Iterator[str]:
    """Each list of the API description with every parameter that it answers to, so that all reach the database."""
    for template, item in document["paths"].items():
        parameters = [one for one in item.get("get", {}).get("parameters", ()) if one.get("in") == "query"]
        if parameters:
            path = template.replace("{key}", SAMPLES["uuid"])
            given = {one["name"]: sample(one["schema"]) for one in parameters}
            given["cursor"] = cursor(browser, path)
            for name in list(given):
                accepted = (
                    one
                    for one in (given[name], "1", "a")
                    if browser.get(path, query_string={name: one}).status_code < 400
                )
                if value := next(accepted, ""):
                    given[name] = value
                else:
                    del given[name]
            if given:
                yield f"{path}?{urlencode(given)}"


def cursor(browser: Person, path: str) -> str:
    """A cursor that this list gave."""
    body = browser.get(f"{path}?limit=1").get_json(silent=True) or {}
    return str(body.get("meta", {}).get("page", {}).get("next_cursor") or "")


def sample(schema: Any) -> str:
    kinds = schema.get("type", "string")
    kind = kinds if isinstance(kinds, str) else kinds[0]
    if schema.get("enum"):
        return str(schema["enum"][0])
    return SAMPLES.get(schema.get("format") or kind, "a")


def page_lists(platform: Platform, web: Any) -> Iterator[str]:
    """The list page of each resource, with every filter, the search, an order and a page."""
    from core.fab.views import class_name, view_of

    for bound in platform.registry.resources.values():
        name, view = class_name(bound), view_of(bound)
        given = {"q": "a", f"_oc_{name}": bound.resource.order.removeprefix("-"), f"_od_{name}": "asc"}
        given |= {f"page_{name}": "0", f"psize_{name}": "10"}
        given |= {f"_flt_0_{column}": "1" for column in bound.resource.filters}
        if f"{name}.list" in web.view_functions:
            yield f"{view.route_base}/list/?{urlencode(given)}"


def fill(platform: Platform) -> None:
    """Some records, so that a condition that comes true shows more than an empty page."""
    with platform.unit_of_work(Actor.system("sqlmap")) as session:
        session.add_all(
            library.Book(id=new_id(), owner_id=owner, title=f"a book {number}", shelf=number % 3)
            for number, owner in enumerate([member(platform)] * 20)
        )


def member(platform: Platform) -> Any:
    from sqlalchemy import select

    from core.members.models import Member

    with platform.unit_of_work() as session:
        return session.scalar(select(Member.id).where(Member.email == EMAIL))


def sign_in(platform: Platform, web: Any) -> tuple[Person, str]:
    """An admin's browser and its cookie."""
    from core.members import service

    actor = Actor.system("sqlmap")
    with platform.unit_of_work(actor) as session:
        service.register(session, actor, email=EMAIL, password=PASSWORD, display_name="a", roles=("Admin", "User"))
    browser = Person(web)
    answer = browser.send("/login", email=EMAIL, password=PASSWORD)
    name = web.config["SESSION_COOKIE_NAME"]
    cookie = browser.http.get_cookie(name)
    if answer.status_code not in (302, 303) or cookie is None:
        raise SystemExit(f"The admin cannot sign in: {answer.status}")
    return browser, f"{name}={cookie.value}"


def canary() -> str:
    """A list that can be injected into: what does not find this, finds nothing."""
    title = request.args.get("title", "")
    found = g.session.execute(text(f"SELECT title FROM library_book WHERE title LIKE '{title}%'".replace(":", "\\:")))
    return "\n".join(found.scalars())


def attack(url: str, cookie: str, folder: Path) -> str:
    """sqlmap's verdict on all parameters of one address."""
    level, risk = os.environ.get("LEVEL", "1"), os.environ.get("RISK", "1")
    command = [
        sys.executable, "-m", "uv", "tool", "run", SQLMAP, "-u", url, "--cookie", cookie, "--batch",
        "--dbms", "PostgreSQL",
        "--level", level, "--risk", risk, "--threads", "2", "--time-sec", "2", "--disable-coloring", "--flush-session",
        "--ignore-code", "404,422", "--output-dir", str(folder), "--technique", "BEUST",
        "--base64", "cursor", "--base64-safe",
    ]  # fmt: skip
    parameters = ",".join(part.split("=")[0] for part in url.partition("?")[2].split("&"))
    done = subprocess.run([*command, "-p", parameters], capture_output=True, text=True, check=False, timeout=3600)
    if CLEAN in done.stdout and "is vulnerable" not in done.stdout and "identified the following" not in done.stdout:
        return ""
    return done.stdout[-3000:] + done.stderr[-1000:]


def main(wanted: list[str]) -> None:
    from app import create_app
    from config import Config
    from core.runtime.engines import engines

    os.environ["GUILDHALL_SETTING_CORE__RATE_LIMITS"] = "no"
    logs.configure("ERROR", process="sqlmap")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    found: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="guildhall-sqlmap-") as home:
        config = Config(home=Path(home), secret_key="sqlmap-" + "x" * 40, encryption_keys=f"test:{'A' * 43}=")
        with engines(config, throwaway=True) as urls:
            platform = Platform(config, *urls, extra=[library.plugin])
            platform.upgrade()
            metadata.create_all(platform.database.engine, tables=library.TABLES)
            with platform.unit_of_work(Actor.system("sqlmap")) as session:
                access.sync(session, platform.registry.permissions, platform.registry.roles)
            web = create_app(platform)
            web.add_url_rule(CANARY.partition("?")[0], view_func=canary)
            browser, cookie = sign_in(platform, web)
            fill(platform)
            document = web.test_client().get("/api/v1/openapi.json").get_json()
            addresses = [*rest_lists(document, browser), *page_lists(platform, web)]
            addresses = [one for one in addresses if not wanted or any(part in one for part in wanted)]
            server = make_server("127.0.0.1", 0, web, threaded=True)
            threading.Thread(target=server.serve_forever, daemon=True).start()
            base = f"http://127.0.0.1:{server.port}"
            if not attack(base + CANARY, cookie, Path(home) / "sqlmap"):
                raise SystemExit("sqlmap does not even find what can be injected into; its verdicts would say nothing.")
            for address in addresses:
                began = time.perf_counter()
                told = attack(base + address, cookie, Path(home) / "sqlmap")
                verdict = "FOUND OR UNDECIDED" if told else "nothing"
                print(
                    f"{verdict}  {address.count('=')} parameters  {time.perf_counter() - began:.0f} s  {address[:90]}",
                    flush=True,
                )
                if told:
                    found[address] = told
            server.shutdown()
            platform.database.dispose()
    print(*(f"\n{address}\n{told}" for address, told in found.items()))
    print(f"{len(addresses)} lists tried, {len(found)} to look at.")
    raise SystemExit(1 if found else 0)


if __name__ == "__main__":
    main(sys.argv[1:])
