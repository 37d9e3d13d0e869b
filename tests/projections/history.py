"""Journals as they happen at front desks: real commands on real streams, drawn by Hypothesis."""

from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from datetime import timedelta
from uuid import UUID

from hypothesis import strategies as st

from application.journal import Provenance, Recorded
from domain.refusals import Refusal
from tests.projections.deeds import DEEDS, Clinic, Deed

__all__ = ["DEEDS", "PARTITIONS", "Clinic", "Deed", "deeds", "journal_of"]

PARTITIONS = 2

deeds = st.lists(
    st.builds(
        Deed,
        clinic=st.integers(0, 1),
        name=st.sampled_from([*["book", "move", "seat"] * 2, "check_in", "hold_seat", "cancel", "wait", *DEEDS]),
        which=st.integers(0, 3),
        hour=st.integers(0, 30),
        wait_hours=st.sampled_from([*[0] * 10, 1, 5, 24 * 10]),
    ),
    min_size=30,
    max_size=90,
)


def journal_of(deeds: Iterable[Deed]) -> tuple[list[Clinic], list[Recorded]]:
    """Two clinics and their common journal; what is refused is not in it. A position in seven was never given."""
    clinics = [Clinic(0), Clinic(1)]
    journal: list[Recorded] = []
    versions: defaultdict[UUID, int] = defaultdict(int)
    told = [0, 0]

    def write_down(number: int) -> None:
        """The facts of a deed, as those of one command."""
        desk = clinics[number].desk
        command_id = UUID(int=1 + (journal[-1].position if journal else 0))
        for stream_id, fact in desk.facts[told[number] :]:
            versions[stream_id] += 1
            position = (journal[-1].position if journal else 0) + (2 if len(journal) % 7 == 6 else 1)
            provenance = Provenance(
                organization_id=desk.organization_id,
                actor_id=desk.staff.account_id,
                at=desk.now,
                command_id=command_id,
            )
            journal.append(Recorded(position, stream_id, versions[stream_id], fact, provenance))
        told[number] = len(desk.facts)

    write_down(0)
    write_down(1)
    for deed in deeds:
        clinic = clinics[deed.clinic]
        clinic.desk.now += timedelta(hours=deed.wait_hours)
        with suppress(Refusal):
            clinic.do(deed)
        write_down(deed.clinic)
    return clinics, journal
