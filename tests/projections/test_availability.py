"""Availability: the planes of what is claimed, the slots that come of them, and who is told that they changed."""

import asyncio
import json
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import psycopg
from hypothesis import given
from psycopg_pool import AsyncConnectionPool

from adapters.memory_masks import MemoryMasks
from adapters.walls import Walls
from api.slots import Question, document
from application import booking, visits
from application.journal import Recorded
from application.masks import Block, BlockKey, Masks
from application.slots import Found, Sources, find_slots, told_before
from domain.bit_planes import packed
from domain.possible_starts import BLOCK_MIN
from domain.service import Requirement
from projections.availability import Availability
from projections.availability_queries import AvailabilityQueries
from projections.changes import since
from tests.booked_out import QUARTER, bookable, claimed
from tests.desk import HOUR, Desk
from tests.projections.history import PARTITIONS, Clinic, Deed, deeds, journal_of
from tests.projections.redelivery import Step, asked, deliver, digests, on_real_tables, steps

DAYS_AHEAD = timedelta(days=2)


class AsOf:
    """A desk's hands as a clock."""

    def __init__(self, desk: Desk) -> None:
        self.now = lambda: desk.now


def blocks_in(url: str) -> dict[BlockKey, Block]:
    with psycopg.connect(url) as connection:
        rows = connection.execute("SELECT resource_id, number, position, planes FROM availability.block").fetchall()
    return {BlockKey(resource_id, number): Block(position, planes) for resource_id, number, position, planes in rows}


def slots_of(url: str, clinic: Clinic, service_id: UUID, masks: MemoryMasks) -> Found:
    async def read(pool: AsyncConnectionPool) -> Found:
        queries = AvailabilityQueries(Walls(pool), PARTITIONS)
        sources = Sources(queries, Masks(queries, masks), AsOf(clinic.desk))
        now = clinic.desk.now
        first = await find_slots(sources, clinic.desk.organization_id, service_id, now, now + DAYS_AHEAD)
        again = await find_slots(sources, clinic.desk.organization_id, service_id, now, now + DAYS_AHEAD)
        assert first == again  # with the states that the queries now keep
        return again

    return asked(url, read)


@on_real_tables
@given(deeds=deeds, steps=steps)
def test_it_is_the_same_however_facts_arrive(postgres_url: str, deeds: list[Deed], steps: list[Step]) -> None:
    clinics, journal = journal_of(deeds)
    masks = MemoryMasks()

    deliver(postgres_url, Availability(PARTITIONS, masks=masks), journal, steps)

    live, replayed = digests(postgres_url, Availability(PARTITIONS), journal)
    assert live == replayed
    blocks = blocks_in(postgres_url)
    assert {key: block.planes for key, block in blocks.items() if block.planes} == {
        key: packed(planes, BLOCK_MIN) for key, planes in claimed(clinic.desk for clinic in clinics).items()
    }
    assert masks._blocks == blocks


@on_real_tables
@given(deeds=deeds)
def test_the_slots_are_those_that_the_desk_would_book(postgres_url: str, deeds: list[Deed]) -> None:
    clinics, journal = journal_of(deeds)
    masks = MemoryMasks()
    deliver(postgres_url, Availability(PARTITIONS, masks=masks), journal, [])

    for clinic in clinics:
        now, somebody = clinic.desk.now, clinic.desk.customer()
        for service_id in (clinic.service, clinic.group, clinic.massage):
            found = slots_of(postgres_url, clinic, service_id, masks)
            assert list(found.slots) == bookable(clinic.desk, service_id, somebody, now, now + DAYS_AHEAD)
            masks.flush()
            assert slots_of(postgres_url, clinic, service_id, masks) == found
            assert found.position == max(r.position for r in journal if r.provenance.organization_id in own(clinic))


@on_real_tables
@given(deeds=deeds)
def test_what_is_kept_in_memory_is_told_only_while_nothing_has_changed(postgres_url: str, deeds: list[Deed]) -> None:
    """Between any two deeds everything is asked of one who was asked before, and of one who was not."""

    async def story(pool: AsyncConnectionPool) -> None:
        queries = AvailabilityQueries(Walls(pool), PARTITIONS)
        masks, told = Masks(queries), told_before()
        for done in sorted({0, len(deeds) // 2, len(deeds) - 1, len(deeds)}):
            clinics, journal = journal_of(deeds[: max(done, 0)])
            await asyncio.to_thread(deliver, postgres_url, Availability(PARTITIONS), journal, [])
            for clinic in clinics:
                stranger = AvailabilityQueries(Walls(pool), PARTITIONS, bytes_max=0)
                for service_id in (clinic.service, clinic.group, clinic.massage):
                    start = clinic.desk.now.date()
                    question = Question(clinic.desk.organization_id, service_id, start, start + DAYS_AHEAD)
                    asked_before = Sources(queries, masks, AsOf(clinic.desk), told=told)
                    anew = await document(Sources(stranger, Masks(stranger), AsOf(clinic.desk)), question)
                    for _ in range(2):
                        assert await document(asked_before, question) == anew
        assert told.tally.hits >= told.tally.misses > 0
        assert len(queries.offers) > 0 < len(queries.rules)
        assert len(stranger.offers) == len(stranger.rules) == 0, "there was no room for anything"

    asked(postgres_url, story)


def own(clinic: Clinic) -> set[UUID]:
    return {clinic.desk.organization_id}


def test_claims_over_midnights_and_blocks_add_up_and_what_is_given_back_leaves_nothing(postgres_url: str) -> None:
    (clinic, _), journal = journal_of([])
    desk = clinic.desk
    car = desk.resource("car", capacity=3, time_zone="America/Sao_Paulo")
    rental = desk.service(Requirement(resource_id=car, quantity=1), duration_min=30 * 60, buffer_before_min=7)
    two = desk.service(Requirement(resource_id=car, quantity=2), duration_min=30 * 60, slot_step_min=1)
    # The desk's Monday is the fifth day of a block of eight: from Thursday noon on the claims lie in two.
    first = desk.booked(rental, desk.now + 84 * HOUR)
    second = desk.booked(two, desk.now + 85 * HOUR)
    journal = continued(clinic, journal)
    blocks = projected(postgres_url, journal)
    assert len([key for key in blocks if key.resource_id == car]) == 2
    assert blocks == {key: packed(planes, BLOCK_MIN) for key, planes in claimed([desk]).items()}

    desk.do(booking.reschedule, booking.Reschedule(appointment_id=second.id, start=second.visit.start + HOUR))
    journal = continued(clinic, journal)
    blocks = projected(postgres_url, journal)
    assert blocks == {key: packed(planes, BLOCK_MIN) for key, planes in claimed([desk]).items()}

    for visit in (first, second):
        desk.do(visits.cancel, visits.Cancel(appointment_id=visit.id))
    assert set(projected(postgres_url, continued(clinic, journal)).values()) == {b""}


def projected(url: str, journal: list[Recorded]) -> dict[BlockKey, bytes]:
    deliver(url, Availability(PARTITIONS), journal, [])
    return {key: block.planes for key, block in blocks_in(url).items()}


def continued(clinic: Clinic, journal: list[Recorded]) -> list[Recorded]:
    """The journal with what the clinic's desk has done since."""
    journal = [*journal]
    known = sum(recorded.provenance.organization_id in own(clinic) for recorded in journal)
    for stream_id, fact in clinic.desk.facts[known:]:
        last = journal[-1]
        version = 1 + sum(recorded.stream_id == stream_id for recorded in journal)
        provenance = replace(last.provenance, organization_id=clinic.desk.organization_id)
        journal.append(Recorded(last.position + 1, stream_id, version, fact, provenance))
    return journal


# ── What is told to sockets ──────────────────────────────────────────────────────────────────────────────────────────


def told(url: str, clinic: Clinic, journal: list[Recorded], after: int) -> list[tuple[str | None, str | None]]:
    """The changes of the clinic's service after a position: from when to when slots were affected."""
    deliver(url, Availability(PARTITIONS), journal, [])
    topic = f"service:{clinic.service}:availability"
    changes = asked(url, lambda pool: since(pool, "availability", {topic: after}, 100))
    assert {change.organization_id for change in changes} <= own(clinic)
    data = [json.loads(change.data) for change in changes]
    assert all(set(one) == {"resource_id", "start", "end"} for one in data)
    return [(one["start"], one["end"]) for one in data]


def position_before(deeds: list[Deed]) -> int:
    _, journal = journal_of(deeds)
    return journal[-1].position


def test_a_booking_is_told_for_each_resource_with_the_time_that_it_takes(postgres_url: str) -> None:
    begin = Deed(0, "rename", 0, 0)
    (clinic, _), journal = journal_of([begin, Deed(0, "book", 0, 9), Deed(1, "book", 0, 9)])
    nine = clinic.desk.now + 9 * HOUR
    takes = (f"{nine:%Y-%m-%dT%H:%M:%SZ}", f"{nine + HOUR + QUARTER:%Y-%m-%dT%H:%M:%SZ}")
    assert told(postgres_url, clinic, journal, position_before([begin])) == [takes, takes]


def test_the_confirmation_of_a_hold_changes_no_slot_and_is_not_told(postgres_url: str) -> None:
    before = [Deed(0, "hold", 0, 9)]
    (clinic, _), journal = journal_of([*before, Deed(0, "confirm", 0, 0)])
    assert len(journal) > len(journal_of(before)[1])
    assert told(postgres_url, clinic, journal, position_before(before)) == []


def test_a_move_within_a_day_is_told_from_the_earlier_to_the_later_visit(postgres_url: str) -> None:
    before = [Deed(0, "book", 0, 9)]
    (clinic, _), journal = journal_of([*before, Deed(0, "move", 0, 12)])  # an even hour: the same room
    nine, end = clinic.desk.now + 9 * HOUR, clinic.desk.now + 13 * HOUR + QUARTER
    moved = (f"{nine:%Y-%m-%dT%H:%M:%SZ}", f"{end:%Y-%m-%dT%H:%M:%SZ}")
    assert told(postgres_url, clinic, journal, position_before(before)) == [moved, moved]


def test_a_closure_and_new_hours_are_told(postgres_url: str) -> None:
    before = [Deed(0, "rename", 0, 0)]
    (clinic, _), journal = journal_of(
        [*before, Deed(0, "close", 0, 9), Deed(0, "reopen", 0, 0), Deed(0, "set_hours", 1, 0)]
    )
    nine = clinic.desk.now + 9 * HOUR
    closed = (f"{nine:%Y-%m-%dT%H:%M:%SZ}", f"{nine + 2 * HOUR:%Y-%m-%dT%H:%M:%SZ}")
    assert told(postgres_url, clinic, journal, position_before(before)) == [closed, closed, (None, None)]


def test_a_new_room_is_told_to_the_service_that_takes_rooms_and_a_new_car_is_not(postgres_url: str) -> None:
    (clinic, _), journal = journal_of([])
    begin = journal[-1].position
    for kind in ("room", "car"):
        clinic.desk.resource(kind)
    journal = continued(clinic, journal)
    assert told(postgres_url, clinic, journal, begin) == [(None, None)]


def test_other_terms_of_a_service_are_told_to_its_own_followers(postgres_url: str) -> None:
    (clinic, other), journal = journal_of([])
    assert told(postgres_url, clinic, journal, 0) == [(None, None)]
    assert told(postgres_url, other, journal, 0) == [(None, None)]
