"""A resource retires and comes back, and a location keeps holidays."""

from datetime import date, timedelta
from uuid import UUID

import pytest

from application.catalogue import OpenLocation, open_location
from application.resource_times import (
    ReinstateResource,
    RetireResource,
    SetHolidays,
    reinstate_resource,
    retire_resource,
    set_holidays,
)
from domain.location import HOLIDAYS_MAX, Holiday, Location
from domain.refusals import Forbidden, InvalidValue, NotFound, NotInThatState, VersionMismatch
from domain.resource import Resource
from tests.desk import HOUR, NINE, Desk

A_DAY = timedelta(days=1)
CHRISTMAS, NEW_YEAR = Holiday(date(2026, 12, 25), "Natal"), Holiday(date(2027, 1, 1), "Ano Novo")


@pytest.fixture
def desk() -> Desk:
    return Desk()


def state_of(desk: Desk, resource_id: UUID) -> Resource:
    state = desk.streams[resource_id].state
    assert isinstance(state, Resource)
    return state


def place(desk: Desk) -> UUID:
    command = OpenLocation(location_id=desk.new_id(), name="Centro", time_zone="UTC")
    return UUID(str(desk.do(open_location, command, desk.owner)["id"]))


def test_a_resource_retires_now_or_at_an_instant_and_the_last_word_counts(desk: Desk) -> None:
    room = desk.resource()

    answer = desk.do(retire_resource, RetireResource(resource_id=room), desk.owner)
    assert answer == {"id": room, "retired_at": desk.now, "version": 2}

    desk.do(retire_resource, RetireResource(resource_id=room, retired_at=NINE + A_DAY, if_version=2), desk.owner)
    assert state_of(desk, room).retired_at == NINE + A_DAY

    assert desk.do(reinstate_resource, ReinstateResource(resource_id=room), desk.owner) == {"id": room, "version": 4}
    assert state_of(desk, room).retired_at is None


def test_what_is_in_service_cannot_be_reinstated(desk: Desk) -> None:
    with pytest.raises(NotInThatState):
        desk.do(reinstate_resource, ReinstateResource(resource_id=desk.resource()), desk.owner)


def test_a_retirement_is_bounded_versioned_and_not_for_the_front_desk(desk: Desk) -> None:
    room = desk.resource()
    with pytest.raises(InvalidValue):
        desk.do(retire_resource, RetireResource(resource_id=room, retired_at=NINE - 367 * A_DAY), desk.owner)
    with pytest.raises(VersionMismatch):
        desk.do(retire_resource, RetireResource(resource_id=room, if_version=7), desk.owner)
    with pytest.raises(Forbidden):
        desk.do(retire_resource, RetireResource(resource_id=room), desk.staff)
    with pytest.raises(NotFound):
        desk.do(retire_resource, RetireResource(resource_id=desk.new_id()), desk.owner)
    assert state_of(desk, room).retired_at is None


def holidays(location_id: UUID, *ones: Holiday, if_version: int | None = None) -> SetHolidays:
    return SetHolidays(location_id=location_id, country="PT", subdivision=None, holidays=ones, if_version=if_version)


def test_a_location_keeps_the_holidays_that_were_set_last(desk: Desk) -> None:
    centro = place(desk)

    desk.do(set_holidays, holidays(centro, CHRISTMAS), desk.owner)
    answer = desk.do(set_holidays, holidays(centro, CHRISTMAS, NEW_YEAR, if_version=2), desk.owner)

    location = desk.streams[centro].state
    assert isinstance(location, Location)
    assert answer == {"id": centro, "version": 3}
    assert (location.country, location.holidays) == ("PT", (CHRISTMAS, NEW_YEAR))
    assert location.days == {CHRISTMAS.day, NEW_YEAR.day}


def test_a_resource_rests_on_the_holidays_of_its_location(desk: Desk) -> None:
    centro, room = place(desk), desk.resource()
    desk.do(set_holidays, holidays(centro, Holiday(NINE.date(), "A holiday")), desk.owner)
    location = desk.streams[centro].state
    assert isinstance(location, Location)

    resting = state_of(desk, room).observing(location)

    assert resting.spans_on(NINE.date()) == ()
    assert resting.observing(None) == state_of(desk, room)


@pytest.mark.parametrize(
    "wrong",
    [
        (NEW_YEAR, CHRISTMAS),
        (CHRISTMAS, CHRISTMAS),
        (Holiday(CHRISTMAS.day, ""),),
        (Holiday(CHRISTMAS.day, "x" * 201),),
        tuple(Holiday(CHRISTMAS.day + n * A_DAY, "x") for n in range(HOLIDAYS_MAX + 1)),
    ],
    ids=["not by date", "twice", "no name", "a long name", "too many"],
)
def test_holidays_are_bounded(desk: Desk, wrong: tuple[Holiday, ...]) -> None:
    centro = place(desk)
    with pytest.raises(InvalidValue):
        desk.do(set_holidays, holidays(centro, *wrong), desk.owner)


def test_holidays_are_not_for_the_front_desk_and_not_for_another_version(desk: Desk) -> None:
    centro = place(desk)
    with pytest.raises(Forbidden):
        desk.do(set_holidays, holidays(centro, CHRISTMAS), desk.staff)
    with pytest.raises(VersionMismatch):
        desk.do(set_holidays, holidays(centro, CHRISTMAS, if_version=9), desk.owner)


def test_the_clock_of_a_retirement_is_the_commands(desk: Desk) -> None:
    room = desk.resource()
    desk.now = NINE + HOUR
    assert desk.do(retire_resource, RetireResource(resource_id=room), desk.owner)["retired_at"] == NINE + HOUR
