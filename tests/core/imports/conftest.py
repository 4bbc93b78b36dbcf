"""Files of books and authors that somebody brings in, and the worker that does it."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from core import access, roles
from core.actor import Actor
from core.ids import new_id
from core.imports import service
from core.imports.models import Import, ImportProblem
from core.imports.plan import Plan
from core.jobs.run import run_next
from core.members.acting import later
from core.members.models import Member
from core.platform import Platform
from tests.core.doors import Person

BOOKS, AUTHORS = "library.book", "library.author"


def written(*rows: Sequence[Any], separator: str = ",") -> bytes:
    """Rows as a CSV file."""
    text = io.StringIO()
    csv.writer(text, delimiter=separator).writerows(rows)
    return text.getvalue().encode()


class Desk:
    """Where one person brings files in."""

    def __init__(self, site: Platform, person: Person | None) -> None:
        self.site, self.person = site, person

    def actor(self, session: Any) -> Actor:
        if self.person is None:
            return Actor.system("test")
        return later(session, UUID(self.person.id), impersonator=None, correlation_id=new_id())

    def send(self, content: bytes, resource: str = AUTHORS, name: str = "records.csv", **plan: Any) -> UUID:
        """Send a file and say what its columns are; what is not said is guessed."""
        with self.site.unit_of_work() as session:
            actor = self.actor(session)
            bound = service.resource_of(session, resource)
            row = service.upload(session, actor, bound, io.BytesIO(content), name)
            service.choose(session, actor, row.id, Plan.of({**row.plan, **plan}))
            return row.id

    def act(self, what: Callable[..., Any], key: UUID, **about: Any) -> None:
        with self.site.unit_of_work() as session:
            what(session, self.actor(session), key, **about)

    def work(self) -> None:
        """Do what waits in the background."""
        while run_next(self.site.database):
            pass

    def tried(self, content: bytes, *args: Any, **about: Any) -> UUID:
        key = self.send(content, *args, **about)
        self.act(service.try_out, key)
        self.work()
        return key

    def done(self, content: bytes, *args: Any, **about: Any) -> UUID:
        """Bring a file in, from sending it to the report."""
        key = self.tried(content, *args, **about)
        self.start(key)
        return key

    def start(self, key: UUID) -> None:
        self.act(service.start, key)
        self.work()

    def undo(self, key: UUID) -> None:
        self.act(service.undo, key, reason="The wrong file.")
        self.work()

    def row(self, key: UUID) -> Import:
        with self.site.unit_of_work() as session:
            return session.get_one(Import, key)

    def figures(self, key: UUID, step: str = "done") -> dict[str, int]:
        """What a step counted, without what it did not."""
        return {name: number for name, number in self.row(key).figures[step].items() if number}

    def problems(self, key: UUID, step: str = "") -> list[tuple[int, str, str]]:
        with self.site.unit_of_work() as session:
            row = session.get_one(Import, key)
            query = select(ImportProblem.line, ImportProblem.field, ImportProblem.code).where(
                ImportProblem.import_id == key, ImportProblem.step == (step or service.step_of(row))
            )
            return [tuple(one) for one in session.execute(query.order_by(ImportProblem.line, ImportProblem.field))]

    def all(self, model: Any, *where: Any) -> list[Any]:
        with self.site.unit_of_work() as session:
            return list(session.scalars(select(model).where(*where).order_by(model.id)))


@pytest.fixture
def admin(people: Callable[..., Person]) -> Person:
    return people("Admin", browser=True)


@pytest.fixture
def desk(site: Platform, admin: Person) -> Desk:
    return Desk(site, admin)


@pytest.fixture
def mark() -> str:
    """A word that no other test's records hold."""
    return new_id().hex[-12:]


@pytest.fixture
def granted(site: Platform, people: Callable[..., Person]) -> Iterator[Callable[..., Person]]:
    """Makes people by what they may do: ``granted("library:book:*", …)``."""
    made: list[tuple[str, Person]] = []

    def make(*permissions: str) -> Person:
        name, system = f"role {new_id().hex[-12:]}", Actor.system("test")
        known = site.registry.permissions
        wanted = {one for one in known for given in permissions if one == given or one.startswith(given.rstrip("*"))}
        with site.unit_of_work(system) as session:
            roles.create(session, system, name)
            roles.grant(session, system, name, wanted if any("*" in one for one in permissions) else permissions)
        made.append((name, people(name)))
        return made[-1][1]

    yield make
    with site.unit_of_work(Actor.system("test")) as session:
        for name, person in made:
            access.assign(session, session.get_one(Member, UUID(person.id)).user_id or 0, [])
            roles.remove(session, Actor.system("test"), name)
