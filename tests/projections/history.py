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

__all__ = ["DEEDS", "PARTITIONS", "Clinic", "Deed", "deeds", "every_kind", "journal_of"]

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


every_kind = [
    *(Deed(0, "book", 0, 9), Deed(0, "hold", 1, 9), Deed(0, "confirm", 0, 0), Deed(0, "move", 0, 11)),
    Deed(0, "overbook", 0, 9),
    # A class that is full, and two who wait for a seat of it: one declines, the other accepts.
    *(Deed(0, "seat", 0, 0), Deed(0, "seat", 1, 0), Deed(0, "hold_seat", 2, 0), Deed(0, "confirm", 0, 0)),
    *(Deed(0, "wait", 3, 0), Deed(0, "wait", 2, 0), Deed(0, "cancel", 0, 0), Deed(0, "decline", 1, 0)),
    *(Deed(0, "recur", 1, 20), Deed(0, "move_series", 0, 2), Deed(0, "cancel_series", 0, 0)),
    *(Deed(0, "confirm", 0, 0), Deed(0, "wait", 1, 0), Deed(0, "leave", 0, 0), Deed(0, "wait", 3, 1)),
    *(Deed(0, "hold_seat", 2, 1), Deed(0, "tick", 0, 2), Deed(0, "lapse", 0, 0)),
    *(Deed(0, "request", 0, 2), Deed(0, "approve", 0, 0), Deed(0, "remind", 0, 0, wait_hours=2)),
    *(Deed(0, "close", 0, 9), Deed(0, "reopen", 0, 0), Deed(0, "set_hours", 0, 0), Deed(0, "keep_holiday", 1, 0)),
    *(Deed(0, "retire", 0, 0), Deed(0, "reinstate", 0, 0), Deed(0, "regroup", 0, 0)),
    *(Deed(0, "change_terms", 0, 0), Deed(0, "rename", 0, 0), Deed(0, "no_show", 0, 0, wait_hours=5)),
    *(Deed(0, "book", 0, 1, wait_hours=240), Deed(0, "check_in", 0, 0), Deed(0, "fulfil", 0, 0)),
    *(Deed(0, "keep_holiday", 0, 0), Deed(0, "seat", 3, 0), Deed(0, "release", 0, 0, wait_hours=2)),
    *(Deed(0, "end_waiting", 0, 0), Deed(0, "let_a_program_in", 0, 0), Deed(0, "let_a_program_in", 1, 0)),
]
"""Nothing of it is refused, and all of it together leaves a fact of every kind: an ``@example`` for any read model."""


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
