"""Journals as they happen at front desks: real commands on real streams, drawn by Hypothesis."""

from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from hypothesis import strategies as st

from application import booking, catalogue, resource_times, visits
from application.journal import Provenance, Recorded
from domain.refusals import Refusal
from domain.service import Requirement
from tests.desk import ALL_DAY, HOUR, OFFICE_HOURS, SEED, Desk

PARTITIONS = 2


class Clinic:
    """A desk with two rooms, a practitioner for two at once, and a service that needs one of each."""

    def __init__(self, number: int) -> None:
        self.desk = Desk(seed=UUID(int=SEED.int + number))
        self.rooms = [self.desk.resource("room"), self.desk.resource("room")]
        self.practitioner = self.desk.resource("practitioner", capacity=2)
        needs = (Requirement(kind="room"), Requirement(resource_id=self.practitioner))
        self.service = self.desk.service(*needs, buffer_after_min=15)
        self.customers = [self.desk.customer(), self.desk.customer()]
        self.appointments: list[UUID] = []
        self.closures: list[tuple[UUID, UUID]] = []

    def do(self, deed: "Deed") -> None:  # noqa: C901, PLR0912  a table of deeds, one line or three each
        """Raises whatever the domain refuses it with."""
        desk, start = self.desk, self.desk.now + deed.hour * HOUR
        room, visit = self.rooms[deed.which % 2], self._visit(deed.which)
        match deed.name:
            case "book":
                self._book(deed.which, start, hold_min=None)
            case "hold":
                self._book(deed.which, start, hold_min=30)
            case "confirm":
                desk.do(visits.confirm, visits.Confirm(appointment_id=visit))
            case "move":
                there = (self.rooms[deed.hour % 2], self.practitioner)
                wish = booking.Reschedule(appointment_id=visit, start=start, resource_ids=there)
                desk.do(booking.reschedule, wish)
            case "cancel":
                desk.do(visits.cancel, visits.Cancel(appointment_id=visit))
            case "lapse":
                desk.do(visits.lapse, visits.Lapse(appointment_id=visit), desk.clock)
            case "check_in":
                desk.do(visits.check_in, visits.CheckIn(appointment_id=visit))
            case "fulfil":
                desk.do(visits.fulfil, visits.Fulfil(appointment_id=visit))
            case "no_show":
                desk.do(visits.mark_no_show, visits.MarkNoShow(appointment_id=visit))
            case "close":
                self._close(room, start)
            case "reopen":
                its_room, closure_id = self.closures[deed.which % len(self.closures)] if self.closures else (room, SEED)
                reopen = resource_times.ReopenResource(resource_id=its_room, closure_id=closure_id)
                desk.do(resource_times.reopen_resource, reopen, desk.owner)
            case "set_hours":
                shifts = OFFICE_HOURS if deed.which < 2 else ALL_DAY
                hours = resource_times.SetWorkingHours(resource_id=room, shifts=shifts)
                desk.do(resource_times.set_working_hours, hours, desk.owner)
            case "rename":
                rename = catalogue.RenameOrganization(name=f'Clinic “{deed.which}” \\\t\\"')
                desk.do(catalogue.rename_organization, rename, desk.owner)
            case unknown:
                raise ValueError(unknown)

    def _book(self, which: int, start: datetime, *, hold_min: int | None) -> None:
        wish = booking.Book(
            appointment_id=self.desk.new_id(),
            service_id=self.service,
            customer_id=self.customers[which % len(self.customers)],
            start=start,
            hold_min=hold_min,
        )
        self.desk.do(booking.book, wish)
        self.appointments.append(wish.appointment_id)

    def _close(self, room: UUID, start: datetime) -> None:
        wish = resource_times.CloseResource(
            resource_id=room, closure_id=self.desk.new_id(), start=start, end=start + 2 * HOUR
        )
        self.desk.do(resource_times.close_resource, wish, self.desk.owner)
        self.closures.append((room, wish.closure_id))

    def _visit(self, which: int) -> UUID:
        return self.appointments[-1 - which % len(self.appointments)] if self.appointments else SEED


DEEDS = (
    *("book", "hold", "confirm", "move", "cancel", "lapse", "check_in", "fulfil", "no_show"),
    *("close", "reopen", "set_hours", "rename"),
)


@dataclass(frozen=True, slots=True)
class Deed:
    """``which`` chooses the object and ``hour`` the time, counted from now; before it ``wait_hours`` pass."""

    clinic: int
    name: str
    which: int
    hour: int
    wait_hours: int = 0


deeds = st.lists(
    st.builds(
        Deed,
        clinic=st.integers(0, 1),
        name=st.sampled_from(["book", "book", "move", "move", "check_in", *DEEDS]),
        which=st.integers(0, 3),
        hour=st.integers(0, 30),
        wait_hours=st.sampled_from([0, 0, 0, 1, 5, 24 * 10]),
    ),
    min_size=25,
    max_size=80,
)


def journal_of(deeds: Iterable[Deed]) -> tuple[list[Clinic], list[Recorded]]:
    """Two clinics and their common journal; what is refused is not in it. A position in seven was never given."""
    clinics = [Clinic(0), Clinic(1)]
    journal: list[Recorded] = []
    versions: defaultdict[UUID, int] = defaultdict(int)
    told = [0, 0]

    def write_down(number: int) -> None:
        desk = clinics[number].desk
        for stream_id, fact in desk.facts[told[number] :]:
            versions[stream_id] += 1
            position = (journal[-1].position if journal else 0) + (2 if len(journal) % 7 == 6 else 1)
            provenance = Provenance(
                organization_id=desk.organization_id,
                actor_id=desk.staff.account_id,
                at=desk.now,
                command_id=UUID(int=position),
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
