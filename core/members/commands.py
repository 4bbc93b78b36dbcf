"""``guildhall keys rotate-signing``: the keys of access tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from core.actor import Actor

if TYPE_CHECKING:
    from core.platform import Platform


@click.command("rotate-signing")
@click.pass_obj
def rotate_signing(platform: Platform) -> None:
    """Sign access tokens with a new key; tokens of the old one are good until they expire."""
    from core.members import signing

    actor = Actor.system("command line")
    with platform.unit_of_work(actor) as session:
        kid = signing.rotate(session, actor)
    click.echo(f"Access tokens are signed by {kid} from now on.")
