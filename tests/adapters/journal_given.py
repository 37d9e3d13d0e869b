"""What the tests of the journal are told in: entries of one or two facts on streams of their own."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4

from application.journal import Draft, Entry, Provenance
from domain.interval import Interval
from domain.resource_day import SlotClaimed

NINE = datetime(2026, 5, 4, 9, tzinfo=UTC)
ORGANIZATION = uuid4()
ACTOR = uuid4()


def a_claim(stream_id: UUID, note: int = 1) -> SlotClaimed:
    """A fact; ``note`` tells one from another."""
    visit = Interval(NINE, NINE + timedelta(minutes=30))
    return SlotClaimed(
        resource_id=stream_id, day=date(2026, 5, 4), appointment_id=UUID(int=note), claim=visit, quantity=1
    )


def provenance(command_id: UUID) -> Provenance:
    return Provenance(organization_id=ORGANIZATION, actor_id=ACTOR, at=NINE, command_id=command_id)


def writing(
    *writes: tuple[UUID, int],
    reads: Mapping[UUID, int] | None = None,
    command_id: UUID | None = None,
    facts: int = 1,
    built_on: int = 0,
) -> Entry:
    """A command that appends ``facts`` to each (stream, version before the batch).

    ``built_on``: the number of facts that earlier entries of the batch write to those streams.
    """
    command_id = command_id or uuid4()
    return Entry(
        command_id=command_id,
        fingerprint=b"\x00fingerprint of " + command_id.bytes,
        provenance=provenance(command_id),
        reads={**(reads or {}), **dict(writes)},
        drafts=tuple(
            Draft(stream_id, version + built_on, tuple(a_claim(stream_id, n + 1) for n in range(facts)))
            for stream_id, version in writes
        ),
        answer=b'{"command":"%s"}' % str(command_id).encode(),
    )


def refusing(reads: Mapping[UUID, int], command_id: UUID | None = None) -> Entry:
    """A decision to say no, which rests on ``reads``."""
    command_id = command_id or uuid4()
    return Entry(command_id=command_id, fingerprint=b"f", provenance=provenance(command_id), reads=reads)


def streams(count: int) -> Sequence[UUID]:
    return [uuid4() for _ in range(count)]
