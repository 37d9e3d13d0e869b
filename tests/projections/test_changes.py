"""The changes that sockets deliver: held for thirty days, read by topic and position, hinted at after the commit."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from uuid import UUID

import psycopg
import pytest

from projections import changes
from projections.changes import RETAINED_FOR, Change, ChangeLog
from tests.desk import MONDAY
from tests.projections.redelivery import asked

SCHEMA = "changes_of_a_test"
EVEN, ODD = UUID(int=2), UUID(int=1)
"""Organizations on partition 0 and on partition 1."""


class Told:
    """The hints that were published."""

    def __init__(self) -> None:
        self.hints: list[tuple[UUID, list[str], int]] = []

    def publish(self, organization_id: UUID, topics: Collection[str], position: int) -> None:
        self.hints.append((organization_id, list(topics), position))


def change(position: int, topic: str = "room:calendar", *, of: UUID = EVEN, at: datetime = MONDAY) -> Change:
    data = b'{"position": %d}' % position
    return Change(position=position, organization_id=of, topic=topic, at=at, data=data)


@pytest.fixture
def url(postgres_url: str) -> str:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
        connection.execute(f"CREATE SCHEMA {SCHEMA}")
        connection.execute(f"SET search_path = {SCHEMA}")
        connection.execute(changes.TABLES)
    return postgres_url


def record(url: str, *batch: Change, log: ChangeLog | None = None) -> None:
    with psycopg.connect(url, options=f"-c search_path={SCHEMA}") as connection, connection.cursor() as cursor:
        (log or ChangeLog(partitions=2)).record(cursor, batch)


def since(url: str, limit: int = 100, **topics: int) -> list[int]:
    return [c.position for c in _since(url, {f"{topic}:calendar": after for topic, after in topics.items()}, limit)]


def _since(url: str, topics: dict[str, int], limit: int) -> Sequence[Change]:
    return asked(url, lambda pool: changes.since(pool, SCHEMA, topics, limit))


def pruned_through(url: str, partition: int) -> int:
    return asked(url, lambda pool: changes.pruned_through(pool, SCHEMA, partition))


def test_each_topic_is_read_from_its_own_position_on(url: str) -> None:
    record(
        url, change(1), change(2, "hall:calendar"), change(3), change(4, "hall:calendar"), change(5, "other:calendar")
    )

    assert since(url, room=0, hall=0) == [1, 2, 3, 4]
    assert since(url, room=1, hall=4) == [3]
    assert since(url, limit=1, room=0, hall=0) == [1, 2]  # of each topic the first


def test_a_change_comes_back_as_it_was_recorded(url: str) -> None:
    record(url, change(7))

    assert _since(url, {"room:calendar": 0}, 1) == [change(7)]


def test_changes_are_held_for_thirty_days_before_the_latest_of_their_partition(url: str) -> None:
    record(url, change(1, at=MONDAY), change(2, at=MONDAY + timedelta(seconds=1)), change(3, "odd:calendar", of=ODD))
    assert since(url, room=0, odd=0) == [1, 2, 3]

    record(url, change(4, at=MONDAY + timedelta(seconds=1) + RETAINED_FOR))

    assert since(url, room=0, odd=0) == [2, 3, 4]
    assert (pruned_through(url, 0), pruned_through(url, 1)) == (1, 0)


def test_a_change_that_comes_with_a_time_too_old_is_not_held_and_counts_as_missing(url: str) -> None:
    record(url, change(1, at=MONDAY + 2 * RETAINED_FOR))

    record(url, change(2, at=MONDAY))  # decided by a process whose clock was far behind

    assert since(url, room=0) == [1]
    assert pruned_through(url, 0) == 2


def test_what_is_missing_stays_missing_when_something_before_it_grows_old(url: str) -> None:
    record(url, change(1, at=MONDAY + RETAINED_FOR), change(2, at=MONDAY), change(3, at=MONDAY + 1.5 * RETAINED_FOR))
    assert since(url, room=0) == [1, 3]

    record(url, change(4, at=MONDAY + 2.5 * RETAINED_FOR))

    assert since(url, room=0) == [3, 4]
    assert pruned_through(url, 0) == 2


def test_nothing_is_missing_before_the_first_change(url: str) -> None:
    assert since(url, room=0) == []
    assert pruned_through(url, 0) == 0


def test_hints_name_the_topics_of_each_organization_once_and_only_after_the_commit(url: str) -> None:
    told = Told()
    log = ChangeLog(partitions=2, hints=told)

    record(url, change(1), change(2, "hall:calendar"), change(3), change(4, "odd:calendar", of=ODD), log=log)
    assert told.hints == []

    log.announce()
    assert told.hints == [(EVEN, ["hall:calendar", "room:calendar"], 3), (ODD, ["odd:calendar"], 4)]
    log.announce()
    assert len(told.hints) == 2


def test_what_was_rolled_back_is_not_announced_later(url: str) -> None:
    told = Told()
    log = ChangeLog(partitions=2, hints=told)
    with psycopg.connect(url, options=f"-c search_path={SCHEMA}") as connection:
        log.record(connection.cursor(), [change(1)])
        connection.rollback()

    record(url, log=log)
    log.announce()

    assert told.hints == []
