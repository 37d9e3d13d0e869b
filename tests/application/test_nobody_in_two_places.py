"""Whatever is booked, held and moved: judged on the visits themselves, not on the pages that decide it."""

from datetime import UTC, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from application.booking import Reschedule, reschedule
from domain.appointment import Appointment, Status
from domain.refusals import Refusal
from domain.service import BookingLimit, Holder, Period
from tests.desk import MINUTE, MONDAY, Desk

ZONES = ("UTC", "America/Sao_Paulo", "Pacific/Auckland", "Asia/Kathmandu")
wishes = st.lists(
    st.tuples(
        st.integers(0, 1), st.integers(0, 1), st.integers(0, 24 * 12 - 1), st.sampled_from(["book", "hold", "move"])
    ),
    max_size=25,
)


@settings(max_examples=60, deadline=None)
@given(zone=st.sampled_from(ZONES), period=st.sampled_from(Period), wishes=wishes)
def test_nobody_is_ever_in_two_places_or_over_a_limit(
    zone: str, period: Period, wishes: list[tuple[int, int, int, str]]
) -> None:
    """Around the turn of a month, in any zone."""
    desk = Desk(time_zone=zone, now=MONDAY)
    desk.resource(capacity=2)
    services = [
        desk.service(slot_step_min=5, duration_min=90, booking_limits=(BookingLimit(Holder.CUSTOMER, period, 2),)),
        desk.service(slot_step_min=5, duration_min=45, booking_limits=(BookingLimit(Holder.SERVICE, period, 3),)),
    ]
    customers = [desk.customer(), desk.customer()]
    first = datetime(2026, 11, 29, tzinfo=UTC)
    visits: list[Appointment] = []
    for service, customer, quarter, how in wishes:
        start = first + quarter * 15 * MINUTE
        try:
            if how == "move" and visits:
                desk.do(reschedule, Reschedule(appointment_id=visits[quarter % len(visits)].id, start=start))
            else:
                hold_min = 60 if how == "hold" else None
                visits.append(desk.booked(services[service], start, customer_id=customers[customer], hold_min=hold_min))
        except Refusal:
            continue
        standing = [v for v in map(desk.appointment, (one.id for one in visits)) if v.status is not Status.CANCELLED]
        assert_apart(standing)
        assert_within(standing, services, period, ZoneInfo(zone))


def assert_apart(visits: list[Appointment]) -> None:
    for one in visits:
        for other in visits:
            if one.id != other.id and one.customer_id == other.customer_id:
                assert not one.visit.overlaps(other.visit)


def assert_within(visits: list[Appointment], services: list[UUID], period: Period, zone: ZoneInfo) -> None:
    per_customer: dict[object, int] = {}
    per_service: dict[object, int] = {}
    for visit in visits:
        day = visit.visit.start.astimezone(zone).date()
        named = {
            Period.DAY: day.isoformat(),
            Period.WEEK: str(day.isocalendar()[:2]),
            Period.MONTH: f"{day:%Y-%m}",
        }[period]
        if visit.service_id == services[0]:
            per_customer[visit.customer_id, named] = per_customer.get((visit.customer_id, named), 0) + 1
        else:
            per_service[named] = per_service.get(named, 0) + 1
    assert all(count <= 2 for count in per_customer.values())
    assert all(count <= 3 for count in per_service.values())
