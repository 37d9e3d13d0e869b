"""What people do at a front desk, one deed at a time: everything that leaves a fact of any kind."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from application import booking, catalogue, machine_clients, pooling, resource_times, visits
from application.decision import Decision
from domain.account import Role
from domain.appointment import Begun, Status
from domain.location import Holiday
from domain.pool import Strategy
from domain.rules import OVERRIDABLE, Rule
from domain.series import Scope
from domain.service import BookingLimit, Holder, Period, Requirement, Service
from tests.desk import ALL_DAY, HOUR, MINUTE, OFFICE_HOURS, SEED, Desk
from tests.projections import standing_wishes


@dataclass(frozen=True, slots=True)
class Deed:
    """``which`` chooses the object and ``hour`` the time, counted from now; before it ``wait_hours`` pass."""

    clinic: int
    name: str
    which: int
    hour: int
    wait_hours: int = 0


class Clinic:
    """A desk with two rooms, a practitioner for two at once, and a service that needs one of each.

    Besides, a class of three in one of two studios with the practitioner; and massages on chairs that take turns,
    which the house approves.
    """

    def __init__(self, number: int) -> None:
        self.desk = desk = Desk(seed=UUID(int=SEED.int + number))
        self.rooms = [desk.resource("room"), desk.resource("room")]
        self.practitioner = desk.resource("practitioner", capacity=2)
        needs = (Requirement(kind="room"), Requirement(resource_id=self.practitioner))
        self.service = desk.service(*needs, buffer_after_min=15)
        self.customers = [desk.customer(), desk.customer()]
        self.closures: list[tuple[UUID, UUID]] = []
        self.location = desk.location()
        self.studios = [desk.resource("studio", location_id=self.location) for _ in range(2)]
        in_class = (Requirement(kind="studio"), Requirement(resource_id=self.practitioner))
        self.group = desk.service(*in_class, seats=3, buffer_before_min=15, release_after_min=30)
        self.chairs = [desk.resource("chair") for _ in range(3)]
        self.pool = desk.pool(*self.chairs, strategy=Strategy.ROUND_ROBIN)
        self.massage = desk.service(
            Requirement(pool_id=self.pool),
            duration_min=30,
            approval_required=True,
            booking_limits=(
                BookingLimit(Holder.CUSTOMER, Period.WEEK, 3),
                BookingLimit(Holder.SERVICE, Period.DAY, 5),
            ),
            no_show_after_min=10,
            remind_before_min=(60, 600),
        )
        self.guests = [desk.customer() for _ in range(4)]
        self.appointments: list[UUID] = []
        self.series: list[UUID] = []
        self.waiting: list[UUID] = []
        self._looked_through = 0

    def do(self, deed: Deed) -> None:
        """Raises whatever the domain refuses it with."""
        DEEDS[deed.name](self, deed)
        for _, fact in self.desk.facts[self._looked_through :]:
            # A hold that becomes a request begins a second time.
            if isinstance(fact, Begun) and fact.appointment_id not in self.appointments:
                self.appointments.append(fact.appointment_id)
        self._looked_through = len(self.desk.facts)

    def visit(self, deed: Deed, *statuses: Status) -> UUID:
        """One of the latest visits; of those that have one of ``statuses``, if there are any."""
        suitable = [one for one in self.appointments if self.desk.appointment(one).status in statuses]
        visits = suitable or self.appointments or [SEED]
        return visits[-1 - deed.which % len(visits)]

    def room(self, deed: Deed) -> UUID:
        return self.rooms[deed.which % 2]

    def start(self, deed: Deed) -> datetime:
        return self.desk.now + deed.hour * HOUR

    def soon(self, deed: Deed) -> datetime:
        """One of a few starts, so that a class finds its guests and a waitlist what it waits for."""
        return self.desk.now + (1 + deed.hour % 3) * HOUR


def _books(*, hold_min: int | None = None, override: frozenset[Rule] = frozenset()) -> Callable[[Clinic, Deed], None]:
    def do(clinic: Clinic, deed: Deed) -> None:
        wish = booking.Book(
            appointment_id=clinic.desk.new_id(),
            service_id=clinic.service,
            customer_id=clinic.customers[deed.which % len(clinic.customers)],
            start=clinic.start(deed),
            hold_min=hold_min,
            override=override,
        )
        clinic.desk.do(booking.book, wish)

    return do


def _joins(service: str, *, hold_min: int | None = None) -> Callable[[Clinic, Deed], None]:
    def do(clinic: Clinic, deed: Deed) -> None:
        wish = booking.Book(
            appointment_id=clinic.desk.new_id(),
            service_id=getattr(clinic, service),
            customer_id=clinic.guests[deed.which],
            start=clinic.soon(deed),
            seats=1 + deed.hour % 2 if service == "group" else 1,
            hold_min=hold_min,
        )
        clinic.desk.do(booking.book, wish)

    return do


def _becomes(
    use_case: Callable[..., Decision], command: Callable[..., object], *of: Status, by_clock: bool = False
) -> Callable[[Clinic, Deed], None]:
    def do(clinic: Clinic, deed: Deed) -> None:
        actor = clinic.desk.clock if by_clock else clinic.desk.staff
        clinic.desk.do(use_case, command(appointment_id=clinic.visit(deed, *of)), actor)

    return do


def _moves(clinic: Clinic, deed: Deed) -> None:
    visit = clinic.desk.appointment(clinic.visit(deed)) if clinic.appointments else None
    in_rooms = visit is not None and visit.service_id == clinic.service
    there = (clinic.rooms[deed.hour % 2], clinic.practitioner) if in_rooms else ()
    start = clinic.start(deed) if in_rooms else clinic.soon(deed)
    wish = booking.Reschedule(appointment_id=clinic.visit(deed), start=start, resource_ids=there)
    clinic.desk.do(booking.reschedule, wish)


def _reminds(clinic: Clinic, deed: Deed) -> None:
    visit = clinic.visit(deed, Status.BOOKED)
    remind_at = clinic.desk.appointment(visit).deadlines.remind_at if clinic.appointments else ()
    for moment in remind_at:
        clinic.desk.do(visits.remind, visits.Remind(appointment_id=visit, remind_at=moment), clinic.desk.clock)


def _closes(clinic: Clinic, deed: Deed) -> None:
    room, start = clinic.room(deed), clinic.start(deed)
    wish = resource_times.CloseResource(
        resource_id=room, closure_id=clinic.desk.new_id(), start=start, end=start + 2 * HOUR
    )
    clinic.desk.do(resource_times.close_resource, wish, clinic.desk.owner)
    clinic.closures.append((room, wish.closure_id))


def _reopens(clinic: Clinic, deed: Deed) -> None:
    closures = clinic.closures or [(clinic.room(deed), SEED)]
    its_room, closure_id = closures[deed.which % len(closures)]
    reopen = resource_times.ReopenResource(resource_id=its_room, closure_id=closure_id)
    clinic.desk.do(resource_times.reopen_resource, reopen, clinic.desk.owner)


def _sets_hours(clinic: Clinic, deed: Deed) -> None:
    shifts = OFFICE_HOURS if deed.which < 2 else ALL_DAY
    hours = resource_times.SetWorkingHours(resource_id=clinic.room(deed), shifts=shifts)
    clinic.desk.do(resource_times.set_working_hours, hours, clinic.desk.owner)


def _keeps_a_holiday(clinic: Clinic, deed: Deed) -> None:
    days = (Holiday(clinic.start(deed).date(), "Founders' Day"),) if deed.which else ()
    wish = resource_times.SetHolidays(location_id=clinic.location, country=None, subdivision=None, holidays=days)
    clinic.desk.do(resource_times.set_holidays, wish, clinic.desk.owner)


def _retires(clinic: Clinic, deed: Deed) -> None:
    retiring = [*clinic.studios, *clinic.chairs][deed.which]
    wish = resource_times.RetireResource(resource_id=retiring, retired_at=clinic.start(deed))
    clinic.desk.do(resource_times.retire_resource, wish, clinic.desk.owner)


def _reinstates(clinic: Clinic, deed: Deed) -> None:
    wish = resource_times.ReinstateResource(resource_id=[*clinic.studios, *clinic.chairs][deed.which])
    clinic.desk.do(resource_times.reinstate_resource, wish, clinic.desk.owner)


def _regroups(clinic: Clinic, deed: Deed) -> None:
    strategy = tuple(Strategy)[deed.which]
    chairs = tuple(clinic.chairs[deed.hour % 2 :])
    wish = pooling.ChangePool(pool_id=clinic.pool, name="Chairs", resource_ids=chairs, strategy=strategy)
    clinic.desk.do(pooling.change_pool, wish, clinic.desk.owner)


def _changes_terms(clinic: Clinic, deed: Deed) -> None:
    terms = _service(clinic, clinic.group).terms
    terms = replace(terms, seats=1 + deed.which, customer_overlap_allowed=deed.hour % 2 == 1)
    wish = catalogue.ChangeTerms(service_id=clinic.group, terms=terms)
    clinic.desk.do(catalogue.change_terms, wish, clinic.desk.owner)


def _renames(clinic: Clinic, deed: Deed) -> None:
    name = f'Clinic “{deed.which}” \\\t\\"'
    rename = catalogue.ChangeOrganization(name=name, bookings_ahead_max=100 + deed.hour)
    clinic.desk.do(catalogue.change_organization, rename, clinic.desk.owner)


def _waits(clinic: Clinic, deed: Deed) -> None:
    service = (clinic.group, clinic.massage)[deed.hour % 2]
    clinic.waiting.append(standing_wishes.waits(clinic.desk, service, clinic.guests[deed.which]))


def _answers(answer: Callable[[Desk, UUID], None]) -> Callable[[Clinic, Deed], None]:
    return lambda clinic, deed: answer(clinic.desk, _one_of(clinic.waiting, deed))


def _recurs(clinic: Clinic, deed: Deed) -> None:
    customer = clinic.customers[deed.which % 2]
    series = standing_wishes.comes_daily(clinic.desk, clinic.service, customer, clinic.start(deed))
    clinic.series.append(series)


def _changes_series(change: Callable[[Desk, UUID, Scope], None]) -> Callable[[Clinic, Deed], None]:
    return lambda clinic, deed: change(clinic.desk, _one_of(clinic.series, deed), tuple(Scope)[deed.hour % 3])


def _one_of(ids: Sequence[UUID], deed: Deed) -> UUID:
    return ids[-1 - deed.which % len(ids)] if ids else SEED


def _service(clinic: Clinic, service_id: UUID) -> Service:
    service = clinic.desk.streams[service_id].state
    assert isinstance(service, Service)
    return service


def _lets_time_pass(clinic: Clinic, deed: Deed) -> None:
    clinic.desk.now += deed.hour % 3 * 15 * MINUTE


def _lets_a_program_in(clinic: Clinic, deed: Deed) -> None:
    desk, key_id = clinic.desk, clinic.desk.new_id()
    wish = machine_clients.IssueApiKey(
        api_key_id=key_id,
        account_id=desk.new_id(),
        subject_id=desk.new_id(),
        role=Role.STAFF,
        scopes=frozenset({"slots.read", "appointment.book"}),
        expires_at=desk.now + 24 * HOUR,
    )
    desk.do(machine_clients.issue_api_key, wish, desk.owner)
    if deed.which % 2:
        desk.do(machine_clients.revoke_api_key, machine_clients.RevokeApiKey(api_key_id=key_id), desk.owner)


DEEDS: Mapping[str, Callable[[Clinic, Deed], Any]] = {
    "book": _books(),
    "hold": _books(hold_min=30),
    "overbook": _books(override=OVERRIDABLE),
    "seat": _joins("group"),
    "hold_seat": _joins("group", hold_min=30),
    "request": _joins("massage"),
    "hold_request": _joins("massage", hold_min=30),
    "recur": _recurs,
    "move_series": _changes_series(standing_wishes.comes_later),
    "cancel_series": _changes_series(standing_wishes.comes_no_more),
    "wait": _waits,
    "decline": _answers(standing_wishes.waits_on),
    "leave": _answers(standing_wishes.waits_no_more),
    "end_waiting": lambda clinic, _: standing_wishes.has_waited_in_vain(clinic.desk),
    "move": _moves,
    "confirm": _becomes(visits.confirm, visits.Confirm, Status.HELD),
    "approve": _becomes(visits.approve, visits.Approve, Status.PENDING),
    "cancel": _becomes(visits.cancel, visits.Cancel),
    "lapse": _becomes(visits.lapse, visits.Lapse, Status.HELD, Status.PENDING, by_clock=True),
    "check_in": _becomes(visits.check_in, visits.CheckIn, Status.BOOKED),
    "fulfil": _becomes(visits.fulfil, visits.Fulfil, Status.ARRIVED),
    "no_show": _becomes(visits.mark_no_show, visits.MarkNoShow),
    "release": _becomes(visits.release, visits.Release, Status.BOOKED, by_clock=True),
    "remind": _reminds,
    "tick": _lets_time_pass,
    "close": _closes,
    "reopen": _reopens,
    "set_hours": _sets_hours,
    "keep_holiday": _keeps_a_holiday,
    "retire": _retires,
    "reinstate": _reinstates,
    "regroup": _regroups,
    "change_terms": _changes_terms,
    "rename": _renames,
    "let_a_program_in": _lets_a_program_in,
}
