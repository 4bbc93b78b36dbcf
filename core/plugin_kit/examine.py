"""The contract suite: everything a plugin must be, tried on a platform of its own.

Run as ``python -m core.plugin_kit.examine`` by ``core.plugin_kit.check``, which bounds its time.
"""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

from config import Config
from core.lifecycle import State
from core.loader import Found
from core.platform import Platform
from core.plugin_kit import description, doors, effects, hooking, repeating, revisions, sources, suggesting
from core.plugin_kit.finding import Finding
from core.plugin_kit.scaffold import refusal
from core.plugin_kit.throwaway import config_of

Tell = Callable[[str], None]


def examine(config: Config, url: str, names: Iterable[str], tell: Tell = lambda step: None) -> Iterator[Finding]:
    """Try these plugins on the database ``url``, which may be empty. ``tell`` is told of each step.

    What keeps a plugin from being loaded is found alone: the rest takes one that is.
    """
    wanted = list(names)
    tell("loading")
    platform = Platform(config, url, None)
    try:
        yield from _examine(platform, wanted, tell)
    finally:
        platform.database.dispose()


def _examine(platform: Platform, wanted: list[str], tell: Tell) -> Iterator[Finding]:
    chosen = {one.name: one for one in reversed(platform.found) if one.name in wanted}
    for name in wanted:
        if name not in chosen:
            yield Finding(name, "NOT_FOUND", "It is not found: look at GUILDHALL_DISABLED_PLUGINS.")
    tell("reading its files")
    for one in chosen.values():
        if reason := _unfit(one):
            yield Finding(one.name, "NAME_REFUSED", f"It cannot be called so: {reason}")
        if one.state is not State.ENABLED:
            yield Finding(one.name, f"STATE_{one.state.name}", f"It is {one.state}: {one.reason}", *_place(one))
        yield from _step(one.name, partial(sources.examine, one, platform.found, platform.registry))
    tell("importing it")
    path = platform.config.plugin_path
    yield from _step("", lambda: effects.examine(chosen, path))
    names = [name for name in platform.registry.plugins if name in chosen]
    tell("migrating")
    failed = {name: outcome for name, outcome in platform.upgrade().items() if not outcome.ok}
    for name in [name for name in names if name in failed]:
        yield Finding(name, "MIGRATION_FAILS", f"It cannot be migrated: {failed[name].reason}", "migrations")
    names = [name for name in names if name not in failed]
    if not names:
        return
    unfit: set[str] = set()
    for finding in _step("", partial(revisions.examine, platform, names)):
        unfit |= {finding.plugin} if finding.wrong else set()
        yield finding
    for name in [name for name in names if name in unfit]:
        what = "Its routes, hooks and handlers are tried when its tables are what its models say."
        yield Finding(name, "NOT_TRIED", what, wrong=False)
    names = [name for name in names if name not in unfit]
    if not names:
        return
    from app import create_app

    tell("starting the application")
    platform.upgrade()
    app = create_app(platform)
    tell("asking its routes")
    yield from _step("", lambda: doors.examine(app, platform, names))
    tell("reading the API description")
    yield from _step("", lambda: description.examine(app, platform, names))
    tell("reading the automations it suggests")
    yield from _step("", lambda: suggesting.examine(platform, names))
    tell("letting hooks raise")
    yield from _step("", lambda: hooking.examine(app, platform, names))
    tell("delivering events twice")
    yield from _step("", lambda: repeating.examine(platform, names))


def _unfit(one: Found) -> str:
    """Why its name cannot be; that there is a package of the name is no reason here."""
    return refusal(one.name, importable=True)


def _place(one: Found) -> tuple[str, int]:
    """The plugin's own line that its failure points to."""
    for line in reversed(one.traceback.splitlines()):
        if one.folder and f'File "{one.folder}' in line:
            file, _, rest = line.partition('", line ')
            name = file.partition('"')[2]
            return str(Path(name).relative_to(one.folder)), int(rest.partition(",")[0] or 0)
    return "plugin.yaml" if (Path(one.folder) / "plugin.yaml").is_file() else "plugin.py", 0


def _step(name: str, run: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """One part of the suite; where it fails itself, that is a finding, and the others go on."""
    try:
        yield from run()
    except Exception as problem:
        where = traceback.extract_tb(problem.__traceback__)[-1]
        what = f"A part of the check could not be carried out ({type(problem).__name__}: {problem})."
        yield Finding(name, "CHECK_FAILED", what, where.filename, where.lineno or 0)


def main() -> None:
    """The child: what it is given comes as JSON on standard input, findings go as JSON lines into the file it names."""
    from core import logs

    given = json.loads(sys.stdin.read())
    logs.configure("CRITICAL", process="check")  # what is let fail on purpose is told as a finding
    config = config_of(home=Path(given["home"]), **given["boot"])
    with Path(given["answer"]).open("a", encoding="utf-8", buffering=1) as answer:
        for finding in examine(config, given["url"], given["names"], lambda step: _write(answer, {"step": step})):
            _write(answer, finding.as_json())
        _write(answer, {"step": ""})


def _write(answer: object, line: dict[str, object]) -> None:
    print(json.dumps(line), file=answer)  # type: ignore[call-overload]


if __name__ == "__main__":
    main()
