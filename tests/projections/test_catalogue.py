"""The catalogue: what an organization has set up, as it is now."""

import os
import subprocess
import sys
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from psycopg_pool import AsyncConnectionPool

from application.decision import Owned
from domain.account import Customer
from domain.resource import Resource
from domain.service import Service
from projections import catalogue
from projections.catalogue import KINDS, Catalogue
from tests.projections.history import Clinic, Deed, deeds, journal_of
from tests.projections.redelivery import Step, asked, deliver, digests, on_real_tables, steps


@on_real_tables
@given(deeds=deeds, steps=steps)
def test_it_is_the_same_however_facts_arrive(postgres_url: str, deeds: list[Deed], steps: list[Step]) -> None:
    _, journal = journal_of(deeds)

    deliver(postgres_url, Catalogue(), journal, steps)

    live, replayed = digests(postgres_url, Catalogue(), journal)
    assert live == replayed


@on_real_tables
@given(deeds=deeds)
def test_it_holds_what_the_commands_made_of_each_object(postgres_url: str, deeds: list[Deed]) -> None:
    (clinic, _), journal = journal_of(deeds)

    deliver(postgres_url, Catalogue(), journal, [])

    async def read(pool: AsyncConnectionPool) -> dict[UUID, tuple[int, Owned]]:
        kinds = KINDS.values()
        found = [await catalogue.listed(pool, clinic.desk.organization_id, kind, limit=200) for kind in kinds]
        return {entry.state.id: (entry.version, entry.state) for entries in found for entry in entries}

    small = tuple(KINDS.values())
    streams = clinic.desk.streams.items()
    made = {stream_id: (s.version, s.state) for stream_id, s in streams if isinstance(s.state, small)}
    assert asked(postgres_url, read) == made


@pytest.fixture(scope="module")
def two_clinics(postgres_url: str) -> tuple[Clinic, Clinic]:
    (clinic, other), journal = journal_of([Deed(0, "close", 0, 5), Deed(1, "rename", 0, 0)])
    deliver(postgres_url, Catalogue(), journal, [])
    return clinic, other


def test_a_list_goes_on_where_its_last_page_ended(postgres_url: str, two_clinics: tuple[Clinic, Clinic]) -> None:
    clinic, _ = two_clinics

    async def read(pool: AsyncConnectionPool) -> list[UUID]:
        own = clinic.desk.organization_id
        first = await catalogue.listed(pool, own, Resource, limit=2)
        rest = await catalogue.listed(pool, own, Resource, after=first[-1].created_position, limit=1)
        return [entry.state.id for entry in [*first, *rest]]

    assert asked(postgres_url, read) == [*clinic.rooms, clinic.practitioner]


def test_another_organizations_object_is_not_there(postgres_url: str, two_clinics: tuple[Clinic, Clinic]) -> None:
    clinic, other = two_clinics

    async def read(pool: AsyncConnectionPool) -> list[object]:
        theirs = other.desk.organization_id
        return [
            await catalogue.one(pool, theirs, Resource, clinic.rooms[0]),
            await catalogue.one(pool, clinic.desk.organization_id, Customer, clinic.rooms[0]),
            await catalogue.service_with_resources(pool, theirs, clinic.service),
            await catalogue.several(pool, theirs, Customer, clinic.customers),
        ]

    assert asked(postgres_url, read) == [None, None, None, {}]


def test_a_service_comes_with_all_that_can_meet_its_requirements(
    postgres_url: str, two_clinics: tuple[Clinic, Clinic]
) -> None:
    clinic, _ = two_clinics

    async def read(pool: AsyncConnectionPool) -> tuple[Service, list[Resource]] | None:
        return await catalogue.service_with_resources(pool, clinic.desk.organization_id, clinic.service)

    found = asked(postgres_url, read)

    assert found
    service, resources = found
    assert service == clinic.desk.streams[clinic.service].state
    assert [resource.id for resource in resources] == [*clinic.rooms, clinic.practitioner]
    assert [closure.id for closure in resources[0].closures] == [clinic.closures[0][1]]


def test_the_resources_of_a_location_are_found_and_no_one_elses(
    postgres_url: str, two_clinics: tuple[Clinic, Clinic]
) -> None:
    clinic, other = two_clinics

    async def read(pool: AsyncConnectionPool) -> list[list[UUID]]:
        own = clinic.desk.organization_id
        asks = [(own, clinic.location), (own, other.location), (other.desk.organization_id, clinic.location)]
        return [[one.id for one in await catalogue.resources_at(pool, *ask)] for ask in asks]

    assert asked(postgres_url, read) == [clinic.studios, [], []]


def test_a_locations_row_is_the_same_in_every_process() -> None:
    """A set of dates has another order in each; a read model is compared byte for byte with its replay."""
    made = (
        "from datetime import date; from uuid import UUID; from domain.location import Location;"
        "from projections.table import as_json;"
        "days = frozenset(date(2026, 1, day) for day in range(1, 29));"
        "print(as_json([Location(id=UUID(int=1), organization_id=UUID(int=2), name='', time_zone='UTC', address=None,"
        " days=days)]))"
    )
    rows = {
        subprocess.run(
            [sys.executable, "-c", made],
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=Path(__file__).parents[2],
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(rows) == 1
