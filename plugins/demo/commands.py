"""The command line of the demo."""

from __future__ import annotations

from typing import Any

import click
from rich.console import Console
from rich.progress import Progress

from guildhall import Actor, members

from .service import load, make_account

ACCOUNTS = {"moderator@example.org": ("User", "Moderator"), "member@example.org": ("User",)}
console = Console()


@click.group("demo")
def group() -> None:
    """A made-up community to look around in."""


@group.command("load")
@click.option("--accounts", is_flag=True, help="Make a moderator and a member too, and print their passwords once.")
@click.pass_obj
def load_demo(platform: Any, accounts: bool) -> None:
    """Load the demo community, once."""
    with Progress(console=console, transient=True) as bars:
        tasks: dict[str, Any] = {}

        def show(what: str, done: int, total: int) -> None:
            task = tasks.setdefault(what, None)
            if task is None:
                task = tasks[what] = bars.add_task(what.capitalize(), total=total)
            bars.update(task, completed=done)

        loaded = load(platform, show)
    if loaded is None:
        console.print("The demo is loaded already; nothing was changed.")
    else:
        console.print(
            f"The demo is loaded: {loaded.members} members, {loaded.contributions} contributions, "
            f"{loaded.suggestions} suggestions. Badges and rewards follow as the worker delivers."
        )
    if accounts:
        for email, roles in ACCOUNTS.items():
            _account(platform, email, roles)


def _account(platform: Any, email: str, roles: tuple[str, ...]) -> None:
    actor = Actor.system("demo", bulk=True)
    try:
        with platform.unit_of_work(actor) as session:
            password = make_account(session, actor, email, *roles)
    except members.EmailTaken:
        console.print(f"{email} exists already; its password is not known here.")
    else:
        console.print(f"{email}  password: {password}  (shown once)", highlight=False)
