"""Small journals for those who follow one: the facts are real, who wrote them does not matter."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

from application.journal import Provenance, Recorded
from domain.organization import OrganizationRenamed

NINE = datetime(2026, 11, 23, 9, tzinfo=UTC)


def fact_at(position: int, organization: int = 0, *, version: int | None = None, name: str = "Clinic") -> Recorded:
    """A fact of an organization that is a number; with P partitions it lies on partition ``organization % P``."""
    organization_id = UUID(int=organization)
    return Recorded(
        position,
        organization_id,
        version or position,
        OrganizationRenamed(organization_id=organization_id, name=f"{name} {position}"),
        Provenance(
            organization_id=organization_id, actor_id=UUID(int=7), at=NINE, command_id=UUID(int=1000 + position)
        ),
    )


@dataclass(slots=True)
class ListedJournal:
    """A ``JournalReader`` over a list that tests append to. ``reads`` counts the calls."""

    facts: list[Recorded] = field(default_factory=list)
    reads: int = 0

    def append(self, *organizations: int, gap: int = 0) -> None:
        """One fact of each; ``gap`` positions were drawn before and rolled back."""
        for organization in organizations:
            self.facts.append(fact_at(self.head() + 1 + gap, organization))
            gap = 0

    def read(
        self, *, after: int, limit: int, upto: int | None = None, besides: Collection[str] = ()
    ) -> Sequence[Recorded]:
        self.reads += 1
        found = [f for f in self.facts if f.position > after and (upto is None or f.position <= upto)]
        return [f for f in found if f.fact.TOPIC not in besides][:limit]

    def head(self) -> int:
        return self.facts[-1].position if self.facts else 0

    def organizations(self, *, after: int) -> Mapping[UUID, int]:
        return {f.provenance.organization_id: f.position for f in self.facts if f.position > after}

    def positions(self, partition: int, partitions: int) -> list[int]:
        """What belongs on a partition."""
        return [f.position for f in self.facts if f.provenance.organization_id.int % partitions == partition]
