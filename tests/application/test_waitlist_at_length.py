"""A long waitlist costs a decision little: few round trips to a cold journal, few looks at who could not have it."""

from uuid import UUID

from application.decision import Decision, NotLoaded, Stream, View
from application.visits import Cancel, cancel
from domain.appointment import Appointment
from domain.service import Requirement
from domain.waitlist import WaitlistOffered
from tests.desk import HOUR, NINE
from tests.waiting_room import ALL_MONDAY, HALF_HOUR, Queue

WAITING = 300


class ColdMemory:
    """What a writer has in memory that has just started: what it was asked for, it loads."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self._loaded: dict[UUID, Stream] = {}
        self.loads = 0

    def get(self, stream_id: UUID) -> Stream | None:
        return self._loaded.get(stream_id)

    def decide(self, visit: Appointment) -> Decision:
        desk = self._queue.desk
        while True:
            try:
                return cancel(View(self), Cancel(appointment_id=visit.id), desk.staff, desk.now)
            except NotLoaded as wanted:
                self.loads += 1
                for stream_id in wanted.stream_ids:
                    self._loaded[stream_id] = desk.streams[stream_id]


def offers(decision: Decision) -> list[UUID]:
    return [fact.entry_id for _, fact in decision.facts if isinstance(fact, WaitlistOffered)]


def test_customers_who_are_all_elsewhere_are_loaded_by_the_dozen() -> None:
    queue = Queue()
    hall = queue.desk.resource("hall", capacity=WAITING)
    concert = queue.desk.service(Requirement(resource_id=hall))
    visit = queue.desk.booked(queue.service)
    for _ in range(WAITING):
        listener = queue.desk.customer()
        queue.desk.booked(concert, NINE, customer_id=listener)
        queue.joined(customer_id=listener)
    last = queue.joined()
    memory = ColdMemory(queue)

    decision = memory.decide(visit)

    assert offers(decision) == [last]
    assert memory.loads <= 20


def test_services_that_could_use_the_time_are_loaded_together() -> None:
    queue = Queue()
    services = [queue.desk.service(Requirement(kind="room"), duration_min=90, slot_step_min=30) for _ in range(40)]
    visit = queue.desk.booked(queue.service)
    queue.desk.booked(queue.service, NINE + HOUR)
    for service in services:
        queue.joined(service_id=service, windows=((NINE, NINE + 3 * HALF_HOUR),))
    memory = ColdMemory(queue)

    decision = memory.decide(visit)

    assert offers(decision) == []
    assert memory.loads <= 12


def test_a_start_that_nobody_could_have_is_looked_at_once_for_all() -> None:
    queue = Queue()
    visit = queue.desk.booked(queue.service)
    for _ in range(WAITING):
        queue.joined(windows=ALL_MONDAY)
    for neighbour in (NINE - HOUR, NINE + HOUR):
        queue.desk.booked(queue.service, neighbour)
    memory = ColdMemory(queue)

    decision = memory.decide(visit)

    assert len(offers(decision)) == 1
    assert memory.loads <= 12


def test_time_that_an_offer_takes_besides_goes_to_who_came_first_for_it() -> None:
    """Found by the audit: room two had been free all along, and who waited for it was passed over."""
    queue = Queue()
    other_room = queue.desk.resource("room")
    visit = queue.desk.booked(queue.service, resource_ids=(queue.room,))
    for_that_room, anywhere, last = queue.joined(resource_id=other_room), queue.joined(), queue.joined()

    queue.cancel(visit)

    assert queue.offers() == [anywhere, for_that_room]
    assert queue.offered(last) is None


def test_who_would_open_a_session_elsewhere_is_asked_before_who_would_open_it_here() -> None:
    """Found by the model of the engine: there is one session at a start, and where it is open it stays."""
    queue = Queue(seats=3)
    other_room, solo = queue.desk.resource("room"), queue.desk.service()
    visit = queue.desk.booked(solo, resource_ids=(queue.room,))
    for_that_room, anywhere = queue.joined(resource_id=other_room), queue.joined()

    queue.cancel(visit)

    assert queue.offers() == [for_that_room, anywhere]
    assert {hold.allotments[0].resource_id for hold in map(queue.offered, queue.offers()) if hold} == {other_room}
