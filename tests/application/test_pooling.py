"""Pools name resources of the organization, and services may ask for one of them."""

from uuid import UUID

import pytest

from application.pooling import ChangePool, CreatePool, change_pool, create_pool
from domain.pool import POOL_MAX, Pool, Strategy
from domain.refusals import AlreadyExists, Forbidden, InvalidValue, NotFound, VersionMismatch
from domain.service import Requirement
from tests.desk import SEED, Desk


@pytest.fixture
def desk() -> Desk:
    return Desk()


def pool_of(desk: Desk, *resource_ids: UUID, strategy: Strategy = Strategy.PRIORITY) -> UUID:
    command = CreatePool(pool_id=desk.new_id(), name="Chairs", resource_ids=resource_ids, strategy=strategy)
    return UUID(str(desk.do(create_pool, command, desk.owner)["id"]))


def test_a_pool_keeps_its_resources_in_the_order_that_was_given(desk: Desk) -> None:
    one, other = desk.resource(), desk.resource()

    pool = pool_of(desk, other, one)

    assert desk.streams[pool].state == Pool(
        id=pool,
        organization_id=desk.organization_id,
        name="Chairs",
        resource_ids=(other, one),
        strategy=Strategy.PRIORITY,
    )


def test_a_pool_is_changed_as_a_whole_if_it_is_still_what_was_seen(desk: Desk) -> None:
    one, other = desk.resource(), desk.resource()
    pool = pool_of(desk, one)
    change = ChangePool(
        pool_id=pool, name="Seats", resource_ids=(one, other), strategy=Strategy.ROUND_ROBIN, if_version=1
    )

    assert desk.do(change_pool, change, desk.owner) == {"id": pool, "version": 2}

    state = desk.streams[pool].state
    assert isinstance(state, Pool)
    assert (state.name, state.resource_ids, state.strategy) == ("Seats", (one, other), Strategy.ROUND_ROBIN)
    with pytest.raises(VersionMismatch):
        desk.do(change_pool, change, desk.owner)


def test_a_pool_has_resources_each_once_and_not_too_many(desk: Desk) -> None:
    room = desk.resource()
    for wrong in ((), (room, room), tuple(desk.new_id() for _ in range(POOL_MAX + 1))):
        with pytest.raises(InvalidValue):
            pool_of(desk, *wrong)


def test_only_the_organizations_own_resources_are_in_its_pools(desk: Desk) -> None:
    neighbour = Desk(seed=UUID(int=SEED.int + 1))
    theirs = neighbour.resource()
    desk.streams[theirs] = neighbour.streams[theirs]  # one journal for both
    for wrong in (theirs, desk.new_id(), desk.customer()):
        with pytest.raises(NotFound):
            pool_of(desk, desk.resource(), wrong)


def test_pools_are_made_once_and_not_by_the_front_desk(desk: Desk) -> None:
    command = CreatePool(
        pool_id=desk.new_id(), name="Chairs", resource_ids=(desk.resource(),), strategy=Strategy.PRIORITY
    )
    desk.do(create_pool, command, desk.owner)
    with pytest.raises(AlreadyExists):
        desk.do(create_pool, command, desk.owner)
    with pytest.raises(Forbidden):
        desk.do(create_pool, command, desk.staff)


def test_a_service_asks_for_as_many_as_some_resource_of_the_pool_has(desk: Desk) -> None:
    pool = pool_of(desk, desk.resource(), desk.resource(capacity=3))

    desk.service(Requirement(pool_id=pool, quantity=3))

    with pytest.raises(InvalidValue):
        desk.service(Requirement(pool_id=pool, quantity=4))
    with pytest.raises(NotFound):
        desk.service(Requirement(pool_id=desk.new_id()))
