"""Whatever booking says to a start, its explanation says too, and names what decides it."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from application.booking import Book, book
from application.decision import View
from application.resource_times import CloseResource, close_resource
from domain.allocation import Allocation
from domain.refusals import Refusal, ResourceNotSuitable, TooFarAhead, TooSoon
from domain.service import Requirement
from tests.dated_desk import DatedDesk
from tests.desk import HOUR, MINUTE, MONDAY, OFFICE_HOURS, Desk


def outcome_of_booking(
    desk: Desk, service: UUID, customer: UUID, start: datetime, wanted: Sequence[UUID] = ()
) -> Refusal | list[UUID]:
    """What the use case says; nothing is kept."""
    wish = Book(
        appointment_id=desk.new_id(),
        service_id=service,
        customer_id=customer,
        start=start,
        resource_ids=tuple(wanted),
    )
    try:
        decision = book(View(desk), wish, desk.staff, desk.now)
    except Refusal as refusal:
        return refusal
    assert isinstance(decision.answer, dict)
    return list(decision.answer["resource_ids"])


which_service = st.sampled_from([0, 0, 1, 1, 1, 2, 2, 2, 3])
a_quarter = st.integers(40, 56)


@settings(max_examples=60, deadline=None)
@given(
    booked=st.lists(st.tuples(which_service, a_quarter), max_size=12),
    closed=st.lists(st.tuples(st.integers(0, 2), st.integers(8, 14), st.integers(1, 4)), max_size=1),
    asked=st.lists(
        st.tuples(which_service, st.integers(8, 26), st.sampled_from([-1, -1, 0, 1, 2]), st.sampled_from([0, 0, 0, 5])),
        min_size=5,
        max_size=8,
    ),
    later=st.integers(0, 9),
)
def test_an_explanation_says_what_booking_says(
    booked: list[tuple[int, int]],
    closed: list[tuple[int, int, int]],
    asked: list[tuple[int, int, int, int]],
    later: int,
) -> None:
    desk = DatedDesk()
    rooms = [
        desk.resource("room", time_zone="America/St_Johns"),
        desk.resource("room", shifts=OFFICE_HOURS, time_zone="Asia/Kathmandu"),
        desk.resource("scanner", capacity=3),
    ]
    room, scanner = Requirement(kind="room"), Requirement(kind="scanner", quantity=2)
    services = [
        desk.service(room, min_notice_min=120, max_advance_days=1),
        desk.service(room, scanner, slot_step_min=20, buffer_before_min=10),
        desk.service(room, room, Requirement(resource_id=rooms[2]), duration_min=45, buffer_after_min=15),
        desk.service(room, min_notice_min=3 * 24 * 60, max_advance_days=1),
    ]
    customer = desk.customer()
    for which, from_hour, hours in closed:
        start = MONDAY + from_hour * HOUR
        desk.do(
            close_resource,
            CloseResource(
                resource_id=rooms[which], closure_id=desk.new_id(), start=start, end=start + hours * HOUR + MINUTE
            ),
            desk.owner,
        )
    for which, quarter in booked:
        if not isinstance(outcome_of_booking(desk, services[which], customer, MONDAY + quarter * 15 * MINUTE), Refusal):
            desk.booked(services[which], MONDAY + quarter * 15 * MINUTE, customer_id=customer)
    desk.now = MONDAY + later * HOUR

    for which, hour, wish, odd_min in asked:
        start, wanted = MONDAY + hour * HOUR + odd_min * MINUTE, rooms[wish] if wish >= 0 else None
        said = outcome_of_booking(desk, services[which], customer, start, (wanted,) if wanted else ())
        try:
            reasons = desk.why(services[which], start, resource_id=wanted)
        except ResourceNotSuitable:
            assert isinstance(said, ResourceNotSuitable | TooSoon | TooFarAhead)
            continue
        decisive = [one.finding.refusal for one in reasons.rules if one.finding.decisive]
        assert all(one.facts for one in reasons.rules)
        if isinstance(said, Refusal):
            assert type(reasons.outcome) is type(said)
            assert str(reasons.outcome) == str(said)
            assert type(said) in {type(refusal) for refusal in decisive}
        else:
            assert isinstance(reasons.outcome, Allocation)
            assert [allotment.resource_id for allotment in reasons.outcome.allotments] == said
            assert decisive == []
