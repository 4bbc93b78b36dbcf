"""What a kind of criterion is: the base that every plugin's leaves build on."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import ColumnElement, func
from sqlalchemy.orm import Session

from .frame import Frame

Measured = int | str | bool | None
Units38 = Annotated[int, Field(ge=1, lt=10**38)]


Loader = Callable[[Session, Collection[Any], Collection[UUID]], Mapping[Any, Mapping[UUID, Any]]]


@dataclass(frozen=True, eq=False)
class Source:
    """Where leaves take their facts from: ``load(session, member_ids)`` answers one fact for each member.

    Leaves that share a source share one load; it must do with a fixed number of statements. Sources that differ by a
    ``key`` alone can share one too: ``together(session, keys, member_ids)`` answers the facts of each key.
    """

    name: str
    load: Callable[[Session, Collection[UUID]], Mapping[UUID, Any]]
    key: Any = None
    together: Loader | None = None

    @classmethod
    def one_of(cls, name: str, together: Loader, key: Any) -> Source:
        """The source of ``key`` among those that ``together`` loads."""
        return cls(name, lambda session, member_ids: together(session, [key], member_ids)[key], key, together)


def load_all(
    session: Session, sources: Iterable[Source], member_ids: Collection[UUID]
) -> dict[Source, Mapping[UUID, Any]]:
    """The facts of several sources by member, in as few statements as they can."""
    found: dict[Source, Mapping[UUID, Any]] = {}
    shared: dict[Loader, list[Source]] = {}
    for source in sources:
        if source.together is None:
            found[source] = source.load(session, member_ids)
        else:
            shared.setdefault(source.together, []).append(source)
    for together, some in shared.items():
        facts = together(session, [source.key for source in some], member_ids)
        found.update((source, facts[source.key]) for source in some)
    return found


Facts = Mapping[Source, Any]
"""What is known of one member, by source."""


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """One leaf told to a person. ``sentence`` is translatable and filled with ``params``.

    ``remaining`` is how much is missing in the leaf's own unit, 0 when it is met, None when nothing the
    member does can change it.
    """

    actual: Measured
    target: Measured
    ok: bool
    remaining: int | None
    sentence: str
    params: Mapping[str, Any] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The English sentence."""
        return self.sentence.format(**self.params)


class Leaf(BaseModel):
    """A kind of criterion. Its fields are its parameters; pydantic checks them and gives their JSON Schema.

    A subclass says what it measures (``actual``), when that is enough (``holds``), the same in SQL (``sql``,
    ``actual_sql``), what it depends on, and how to tell it to a person. In SQL ``core_member`` is in scope, and the
    ``frame`` joins what else is read, once for all badges of a statement: ``frame.column(MyModel, "count")``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    type_name: ClassVar[str]
    label: ClassVar[str]
    wanted: ClassVar[str]  # the condition as a sentence, filled with the parameters
    source: ClassVar[Source]

    @property
    def reads(self) -> Source:
        """Where the fact comes from, ``source`` unless a parameter decides."""
        return self.source

    @property
    def wish(self) -> str:
        """``wanted``, or a sentence that fits these parameters better."""
        return self.wanted

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters as plain JSON; they fill ``wanted``."""
        return self.model_dump(mode="json")

    def actual(self, fact: Any) -> Measured:
        """What this leaf measures, out of the fact that its source loaded; plain JSON."""
        raise NotImplementedError

    def holds(self, actual: Measured) -> bool:
        """Whether ``actual`` is enough."""
        raise NotImplementedError

    def test(self, fact: Any) -> bool:
        """Whether a member with this fact meets the leaf."""
        return self.holds(self.actual(fact))

    def sql(self, frame: Frame) -> ColumnElement[bool]:
        """``test`` as a condition; NULL counts as not met."""
        raise NotImplementedError

    def actual_sql(self, frame: Frame) -> ColumnElement[Any]:
        """``actual`` as a scalar."""
        raise NotImplementedError

    def depends_on(self) -> frozenset[str]:
        """Contribution types that can change the answer; ``*`` for any; ``badge:<slug>`` for another badge."""
        raise NotImplementedError

    def explain(self, actual: Measured) -> Explanation:
        """``actual`` against the target."""
        raise NotImplementedError

    def check(self, session: Session) -> str | None:
        """What is wrong with the parameters in this database, as a sentence; None when all is well."""
        return None


class AtLeast(Leaf):
    """A leaf that counts something up to a target; its SQL is one column."""

    sentence: ClassVar[str]

    @property
    def target(self) -> int:
        raise NotImplementedError

    def column(self, frame: Frame) -> ColumnElement[Any]:
        """The count; NULL is 0."""
        raise NotImplementedError

    def sql(self, frame: Frame) -> ColumnElement[bool]:
        return self.column(frame) >= self.target

    def actual_sql(self, frame: Frame) -> ColumnElement[Any]:
        return func.coalesce(self.column(frame), 0)

    def holds(self, actual: Measured) -> bool:
        return isinstance(actual, int) and actual >= self.target

    def explain(self, actual: Measured) -> Explanation:
        count = int(actual or 0)
        return Explanation(
            actual=count,
            target=self.target,
            ok=self.holds(count),
            remaining=max(0, self.target - count),
            sentence=self.sentence,
            params={**self.parameters, "actual": count, "target": self.target},
        )
