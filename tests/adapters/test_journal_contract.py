"""What every journal promises. The same sentences hold in memory and on PostgreSQL."""

from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from application.journal import Appended, Draft, Receipt, StaleDecision
from tests.adapters.journal_ends import Ends, position
from tests.adapters.journal_given import a_claim, refusing, streams, writing

pytestmark = pytest.mark.anyio
STALE = StaleDecision()


async def test_facts_come_back_in_order_with_their_versions_and_provenance(ends: Ends) -> None:
    day, visit = streams(2)
    entry = writing((day, 0), (visit, 0), facts=2)  # given
    head = ends.reader.head()
    appending = await ends.journal.append([entry])  # when
    loaded = await ends.journal.load([day, visit])  # then
    assert [recorded.version for recorded in loaded[day]] == [1, 2]
    assert [recorded.fact for recorded in loaded[visit]] == [a_claim(visit, 1), a_claim(visit, 2)]
    assert {recorded.provenance for recorded in loaded[day]} == {entry.provenance}
    assert [r.position for r in (*loaded[day], *loaded[visit])] == [head + n for n in (1, 2, 3, 4)]
    assert appending.outcomes == [Appended(head + 4)]
    assert appending.news == {}


async def test_a_stream_that_does_not_exist_is_empty(ends: Ends) -> None:
    nowhere = uuid4()
    assert await ends.journal.load([nowhere]) == {nowhere: []}
    assert await ends.journal.load([]) == {}


async def test_an_empty_batch_changes_nothing(ends: Ends) -> None:
    head = ends.reader.head()
    appending = await ends.journal.append([])
    assert (list(appending.outcomes), appending.news, ends.reader.head()) == ([], {}, head)


async def test_entries_of_a_batch_take_positions_in_their_order(ends: Ends) -> None:
    batch = [writing((stream_id, 0), facts=2) for stream_id in streams(5)]
    head = ends.reader.head()
    appending = await ends.journal.append(batch)
    assert [position(outcome) for outcome in appending.outcomes] == [head + 2 * n for n in range(1, 6)]
    written = [r.stream_id for r in ends.reader.read(after=head, limit=100)]
    assert written == [entry.drafts[0].stream_id for entry in batch for _ in range(2)]


async def test_positions_never_go_back(ends: Ends) -> None:
    seen = [position((await ends.journal.append([writing((s, 0))])).outcomes[0]) for s in streams(5)]
    assert seen == sorted(set(seen))


async def test_a_decision_on_an_old_version_is_stale_and_told_what_is_new(ends: Ends) -> None:
    (day,) = streams(1)
    await ends.journal.append([writing((day, 0), facts=3)])  # given
    late = writing((day, 1))
    head = ends.reader.head()
    appending = await ends.journal.append([late])  # when
    assert appending.outcomes == [STALE]  # then
    assert [recorded.version for recorded in appending.news[day]] == [2, 3]
    assert [recorded.fact for recorded in appending.news[day]] == [a_claim(day, 2), a_claim(day, 3)]
    assert ends.reader.head() == head


async def test_a_stream_that_was_only_read_counts_as_much(ends: Ends) -> None:
    service, day = streams(2)
    await ends.journal.append([writing((service, 0))])  # given
    await ends.journal.append([writing((service, 1))])
    appending = await ends.journal.append([writing((day, 0), reads={service: 1})])  # when
    assert appending.outcomes == [STALE]  # then
    assert set(appending.news) == {service}
    assert await ends.versions(day) == [0]


async def test_two_commands_begin_one_stream_and_the_second_is_stale(ends: Ends) -> None:
    (day,) = streams(1)
    await ends.journal.append([writing((day, 0))])
    assert (await ends.journal.append([writing((day, 0))])).outcomes == [STALE]
    assert await ends.versions(day) == [1]


async def test_a_stale_entry_falls_alone(ends: Ends) -> None:
    old, free, other = streams(3)
    await ends.journal.append([writing((old, 0))])  # given
    head = ends.reader.head()
    appending = await ends.journal.append([writing((free, 0)), writing((old, 0)), writing((other, 0))])  # when
    assert appending.outcomes == [Appended(head + 1), STALE, Appended(head + 2)]  # then
    assert await ends.versions(free, old, other) == [1, 1, 1]


async def test_an_entry_over_several_streams_is_appended_whole_or_not_at_all(ends: Ends) -> None:
    taken, free = streams(2)
    await ends.journal.append([writing((taken, 0))])  # given
    for writes in ([(free, 0), (taken, 0)], [(taken, 0), (free, 0)]):
        appending = await ends.journal.append([writing(*writes), writing((uuid4(), 0))])  # when
        assert appending.outcomes[0] == STALE  # then
        assert isinstance(appending.outcomes[1], Appended)
    assert await ends.versions(taken, free) == [1, 0]


async def test_an_entry_may_build_on_an_earlier_one_of_its_batch(ends: Ends) -> None:
    (day,) = streams(1)
    head = ends.reader.head()
    appending = await ends.journal.append([writing((day, 0)), writing((day, 0), built_on=1)])
    assert appending.outcomes == [Appended(head + 1), Appended(head + 2)]
    assert await ends.versions(day) == [2]


async def test_what_builds_on_an_entry_that_fell_falls_too_and_so_on(ends: Ends) -> None:
    old, first, second, apart = streams(4)
    await ends.journal.append([writing((old, 0))])  # given
    appending = await ends.journal.append(                                                       # when
        [
            writing((old, 0), (first, 0)),                         # stale
            writing((second, 0), reads={first: 0}),                # read what the first would have written
            refusing({second: 0}),                                 # and this what the second would have written
            writing((apart, 0)),
        ]
    )  # fmt: skip
    assert appending.outcomes[:3] == [STALE, STALE, STALE]  # then
    assert isinstance(appending.outcomes[3], Appended)
    assert set(appending.news) == {old}
    assert await ends.versions(first, second, apart) == [0, 0, 1]


async def test_an_entry_that_read_before_the_fallen_one_wrote_stands(ends: Ends) -> None:
    old, shared, own = streams(3)
    await ends.journal.append([writing((old, 0))])
    appending = await ends.journal.append([writing((own, 0), reads={shared: 0}), writing((old, 0), (shared, 0))])
    assert isinstance(appending.outcomes[0], Appended)
    assert appending.outcomes[1] == STALE


async def test_a_refusal_whose_reads_hold_is_confirmed_and_leaves_no_trace(ends: Ends) -> None:
    (day,) = streams(1)
    await ends.journal.append([writing((day, 0))])  # given
    head = ends.reader.head()
    refusal = refusing({day: 1})
    assert (await ends.journal.append([refusal])).outcomes == [Appended(head)]  # when
    assert ends.reader.head() == head  # then
    assert (await ends.journal.append([refusal])).outcomes == [Appended(head)], "a refusal has no receipt"


async def test_a_refusal_on_an_old_version_is_decided_again(ends: Ends) -> None:
    (day,) = streams(1)
    await ends.journal.append([writing((day, 0))])
    appending = await ends.journal.append([refusing({day: 0})])
    assert appending.outcomes == [STALE]
    assert [recorded.version for recorded in appending.news[day]] == [1]


async def test_a_refusal_among_appends_takes_the_position_before_it(ends: Ends) -> None:
    first, second = streams(2)
    head = ends.reader.head()
    batch = [refusing({first: 0}), writing((first, 0)), refusing({first: 0}), writing((second, 0))]
    outcomes = (await ends.journal.append(batch)).outcomes
    assert outcomes == [Appended(head), Appended(head + 1), Appended(head + 1), Appended(head + 2)]


async def test_a_retry_is_told_what_was_told_before(ends: Ends) -> None:
    (day,) = streams(1)
    entry = writing((day, 0))
    told = position((await ends.journal.append([entry])).outcomes[0])  # given
    assert entry.answer
    for retry in (entry, replace(entry, fingerprint=b"another body", reads={day: 1}, drafts=())):
        outcomes = (await ends.journal.append([retry])).outcomes  # when
        assert outcomes == [Receipt(entry.fingerprint, entry.answer, told)]  # then
    assert await ends.versions(day) == [1]


async def test_a_refusal_of_a_command_that_has_a_receipt_gets_the_receipt(ends: Ends) -> None:
    (day,) = streams(1)
    entry = writing((day, 0))
    await ends.journal.append([entry])
    (outcome,) = (await ends.journal.append([refusing({day: 1}, entry.command_id)])).outcomes
    assert isinstance(outcome, Receipt)


async def test_a_retry_in_a_batch_does_not_disturb_the_others(ends: Ends) -> None:
    day, other = streams(2)
    entry = writing((day, 0))
    await ends.journal.append([entry])  # given
    appending = await ends.journal.append([writing((other, 0)), entry])  # when
    assert isinstance(appending.outcomes[0], Appended)  # then
    assert isinstance(appending.outcomes[1], Receipt)
    assert await ends.versions(day, other) == [1, 1]


async def test_what_builds_on_a_retry_as_if_it_were_new_falls(ends: Ends) -> None:
    (day,) = streams(1)
    entry = writing((day, 0))
    await ends.journal.append([entry])
    appending = await ends.journal.append([entry, writing((day, 0), built_on=1)])
    assert isinstance(appending.outcomes[0], Receipt)
    assert appending.outcomes[1] == STALE
    assert [recorded.version for recorded in appending.news[day]] == [1]


async def test_of_two_entries_with_one_command_id_the_second_is_decided_again(ends: Ends) -> None:
    day, other, after = streams(3)
    twice = uuid4()
    batch = [                                                                                    # given
        writing((day, 0), command_id=twice),
        writing((other, 0), command_id=twice),
        writing((after, 0), reads={other: 0}),
    ]  # fmt: skip
    outcomes = (await ends.journal.append(batch)).outcomes  # when
    assert isinstance(outcomes[0], Appended)  # then
    assert outcomes[1:] == [STALE, STALE]
    assert await ends.versions(day, other, after) == [1, 0, 0]
    assert isinstance((await ends.journal.append([batch[1]])).outcomes[0], Receipt)


async def test_facts_without_an_answer_leave_a_receipt_all_the_same(ends: Ends) -> None:
    (day,) = streams(1)
    entry = replace(writing((day, 0)), answer=None)
    await ends.journal.append([entry])
    (outcome,) = (await ends.journal.append([entry])).outcomes
    assert isinstance(outcome, Receipt)
    assert outcome.answer == b"null"


async def test_a_command_that_changed_nothing_is_remembered_at_the_present_head(ends: Ends) -> None:
    (day,) = streams(1)
    await ends.journal.append([writing((day, 0))])
    head = ends.reader.head()
    nothing = replace(writing((day, 1)), drafts=())
    assert (await ends.journal.append([nothing])).outcomes == [Appended(head)]
    assert nothing.answer
    assert (await ends.journal.append([nothing])).outcomes == [Receipt(nothing.fingerprint, nothing.answer, head)]


async def test_entries_that_saw_a_stream_at_different_versions_are_judged_each_by_its_own(ends: Ends) -> None:
    service, first, second = streams(3)
    await ends.journal.append([writing((service, 0), facts=2)])
    batch = [writing((first, 0), reads={service: 1}), writing((service, 2), (second, 0))]
    appending = await ends.journal.append(batch)
    assert appending.outcomes[0] == STALE
    assert isinstance(appending.outcomes[1], Appended)
    assert [recorded.version for recorded in appending.news[service]] == [2]


async def test_a_stream_that_is_shorter_than_was_read_is_empty_news(ends: Ends) -> None:
    """So the reader's memory is of another life of the journal, and has to be dropped."""
    (day,) = streams(1)
    await ends.journal.append([writing((day, 0))])
    appending = await ends.journal.append([refusing({day: 5})])
    assert appending.outcomes == [STALE]
    assert appending.news == {day: []}


@pytest.mark.parametrize("expected", [0, 2])
async def test_a_draft_that_leaves_a_gap_or_overlaps_is_a_fault_and_appends_nothing(ends: Ends, expected: int) -> None:
    day, other = streams(2)
    wrong = replace(writing((day, 1)), drafts=(Draft(day, expected, (a_claim(day),)),))
    head = ends.reader.head()
    with pytest.raises(ValueError, match="expects version"):
        await ends.journal.append([writing((other, 0)), wrong])
    assert ends.reader.head() == head


async def test_a_draft_of_a_stream_that_was_not_read_is_a_fault(ends: Ends) -> None:
    (day,) = streams(1)
    with pytest.raises(ValueError, match="has not read"):
        await ends.journal.append([replace(writing((day, 0)), reads={})])


async def test_any_batch_is_answered_as_the_rules_say(ends: Ends) -> None:
    """A batch of 256 with every kind of entry: the answers are compared with a reading of the rules, one by one."""
    shared = streams(12)
    await ends.journal.append([writing((stream_id, 0)) for stream_id in shared[:6]])
    dirty: set[UUID] = set()
    written: dict[UUID, int] = {}
    batch, expected = [], []
    for n in range(256):
        stream_id, also = shared[n % 12], shared[(n * 7) % 12]
        truly = {s: int(s in shared[:6]) for s in (stream_id, also)}
        is_stale = n % 11 == 0
        reads = {s: version + is_stale for s, version in truly.items()}
        falls = is_stale or bool(dirty & reads.keys())
        if n % 3 == 0:
            entry = refusing(reads)
        else:
            entry = writing((stream_id, reads[stream_id]), reads=reads, built_on=written.get(stream_id, 0))
            written[stream_id] = written.get(stream_id, 0) + 1
            if falls:
                dirty.add(stream_id)
        batch.append(entry)
        expected.append(falls)
    appending = await ends.journal.append(batch)
    assert [outcome == STALE for outcome in appending.outcomes] == expected
    assert True in expected
    assert False in expected
