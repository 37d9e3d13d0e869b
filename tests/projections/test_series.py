"""Every series with its rule, and how much is left of it: listed by customer, in the order of their making."""

from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from application.journal import Provenance, Recorded
from domain.refusals import Refusal
from domain.series import Series
from projections import series
from projections.series import Entry, SeriesList
from tests.desk import HOUR
from tests.projections.redelivery import Step, asked, deliver, digests, on_real_tables, one_at_a_time, steps
from tests.recurring_desk import AT_NINE, WEEK, RecurringDesk, weekly

DEEDS: dict[str, Callable[[RecurringDesk, UUID, int], object]] = {
    "move": lambda desk, it, n: desk.move(it, AT_NINE + (n - 3) * HOUR, on_conflict="skip"),
    "call_off": lambda desk, it, n: desk.call_off(it, scope="following", of=_occurrence(desk, it, n)),
    "call_one_off": lambda desk, it, n: desk.call_off(it, scope="this", of=_occurrence(desk, it, n)),
}
deeds = st.lists(st.tuples(st.sampled_from(["begin", *DEEDS]), st.integers(0, 5)), min_size=3, max_size=15)


def _occurrence(desk: RecurringDesk, series_id: UUID, number: int) -> datetime | None:
    left = desk.series(series_id).occurrences
    return left[number % len(left)].recurrence_id if left else None


def journal_of(deeds: list[tuple[str, int]]) -> tuple[RecurringDesk, list[Recorded]]:
    """Two customers whose visits recur; what is refused is not in the journal."""
    desk = RecurringDesk(rooms=2)
    customers, begun = (desk.customer_id, desk.customer()), []
    for deed, number in deeds:
        with suppress(Refusal):
            if deed == "begin":
                starts = weekly(4, AT_NINE + number * HOUR)
                begun.append(desk.begin(*starts, customer_id=customers[number % 2], exdates=(AT_NINE + 9 * WEEK,)))
            elif begun:
                DEEDS[deed](desk, begun[number % len(begun)]["id"], number)
    versions: defaultdict[UUID, int] = defaultdict(int)
    journal = []
    for position, (stream_id, fact) in enumerate(desk.facts, 1):
        versions[stream_id] += 1
        provenance = Provenance(
            organization_id=desk.organization_id,
            actor_id=desk.staff.account_id,
            at=datetime(2026, 11, 23, tzinfo=UTC),
            command_id=UUID(int=position),
        )
        journal.append(Recorded(position, stream_id, versions[stream_id], fact, provenance))
    return desk, journal


def listed(url: str, desk: RecurringDesk, customer_id: UUID | None = None) -> list[Entry]:
    own = desk.organization_id
    return asked(url, lambda pool: series.listed(pool, own, customer_id=customer_id, limit=200))


@on_real_tables
@given(deeds=deeds, steps=steps)
def test_it_is_the_same_however_facts_arrive(
    postgres_url: str, deeds: list[tuple[str, int]], steps: list[Step]
) -> None:
    _, journal = journal_of(deeds)

    deliver(postgres_url, SeriesList(), journal, steps)

    live, replayed = digests(postgres_url, SeriesList(), journal)
    assert live == replayed


@on_real_tables
@given(deeds=deeds)
def test_it_holds_what_the_commands_made_of_each_series(postgres_url: str, deeds: list[tuple[str, int]]) -> None:
    desk, journal = journal_of(deeds)

    deliver(postgres_url, SeriesList(), journal, one_at_a_time)

    expected = {
        one.state.id: (one.version, len(one.state.occurrences), one.state.rrule, one.state.start_local)
        for one in desk.streams.values()
        if isinstance(one.state, Series)
    }
    found = listed(postgres_url, desk)
    assert {one.id: (one.version, one.occurrence_count, one.rrule, one.start_local) for one in found} == expected
    assert all(one.exdates == [AT_NINE + timedelta(weeks=9)] for one in found)


def test_series_are_listed_in_the_order_of_their_making_by_customer_and_page(postgres_url: str) -> None:
    desk, journal = journal_of([("begin", 0), ("begin", 2), ("begin", 1), ("call_off", 3)])
    deliver(postgres_url, SeriesList(), journal, [])

    hers, everyones = listed(postgres_url, desk, desk.customer_id), listed(postgres_url, desk)

    assert [one.start_local.hour for one in everyones] == [9, 11, 10]
    assert [one.occurrence_count for one in everyones] == [3, 4, 4]
    assert hers == everyones[:2]
    after = everyones[0].created_position
    rest = asked(postgres_url, lambda pool: series.listed(pool, desk.organization_id, after=after, limit=1))
    assert rest == everyones[1:2]
    assert asked(postgres_url, lambda pool: series.listed(pool, UUID(int=1), limit=9)) == []
