"""Whether all that follows the journal has come to the same: topic, read models, messages, sockets, free slots."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from itertools import pairwise
from uuid import UUID

from tests.torture.evidence import PROOFS, VERIFY, Evidence, OnTopic
from tests.torture.history import Frame
from tests.torture.states import BOOKED, Occupancy, Visits
from tests.torture.timeline import Verdict


def relay_misses_nothing(evidence: Evidence) -> Verdict:
    """On each partition every fact of its organizations, in order; each message names the one before it.

    What a relay publishes again after a crash is told, and no violation: followers skip it by its position. Of a broker
    that was wiped, what came to the journal since; the rest was with every follower. What came to the journal after it
    was read for us, a hold that lapsed, is left out.
    """
    verdict = Verdict(4, "the relay misses nothing, in order", len(evidence.topic))
    head = evidence.journal[-1].position
    again = 0
    for partition in range(evidence.partitions):
        messages = [one for one in evidence.topic if one.partition == partition and one.position <= head]
        due = {fact.position for fact in evidence.journal if UUID(fact.org).int % evidence.partitions == partition}
        seen, repeated = _once(messages, verdict)
        again += repeated
        begins = min([evidence.wiped_at, *seen[:1]])
        missing = sorted(position for position in due - set(seen) if position > begins)
        strange = sorted(set(seen) - due)
        if missing or strange:
            verdict.found(f"partition {partition}: missing {missing[:5]}, not in the journal {strange[:5]}")
    verdict.notes["published again"] = again
    return verdict


def _once(messages: Sequence[OnTopic], verdict: Verdict) -> tuple[list[int], int]:
    """The positions of one partition in order, without those that come again, and how many did."""
    seen: list[int] = []
    known: set[int] = set()
    for message in messages:
        if message.position in known:
            continue
        if seen and message.previous != seen[-1]:
            verdict.found(
                f"partition {message.partition}: {message.position} follows {seen[-1]}, and says {message.previous}"
            )
        known.add(message.position)
        seen.append(message.position)
    return seen, len(messages) - len(seen)


def verified(evidence: Evidence) -> Verdict:
    """Daybook's own sweep over the journal, which looks at more than claims."""
    code, told = evidence.jobs[VERIFY]
    verdict = Verdict(1, "daybook verify finds nothing", int(told.get("facts", 0)))
    if code:
        verdict.found(f"daybook verify: {str(told)[:400]}")
    return verdict


def replay_equal(evidence: Evidence) -> Verdict:
    """Every read model is what a replay makes of the journal, before and after some are rebuilt."""
    verdict = Verdict(5, "live = replayed = rebuilt")
    for name, (code, told) in evidence.jobs.items():
        if name in {VERIFY, PROOFS}:
            continue
        verdict.looked_at += 1
        if code:
            verdict.found(f"daybook {name}: {str(told)[:400]}")
    return verdict


def signed_as_it_is(evidence: Evidence) -> Verdict:
    """Every fact is in the tree that was signed meanwhile, whoever was killed: none is changed, put in or taken out."""
    code, told = evidence.jobs[PROOFS]
    verdict = Verdict(13, "the journal is as it was signed", int(told.get("facts", 0)))
    if code or verdict.looked_at < len(evidence.journal):
        verdict.found(f"daybook {PROOFS}: {str(told)[:400]}, of {len(evidence.journal)} facts")
    return verdict


def free_slots_right(evidence: Evidence) -> Verdict:
    """In the end each API process tells exactly those starts free that the journal has free."""
    verdict = Verdict(11, "Redis wiped: wrong answers")
    occupancy, head = Occupancy(evidence.journal), evidence.journal[-1].position
    for where, told in evidence.slots.items():
        place = next(place for place in evidence.world.places if where.endswith(place.service_id))
        free = {datetime.fromisoformat(start) for start in told}
        for number in range(place.slots):
            verdict.looked_at += 1
            start = datetime.fromisoformat(evidence.world.start_of(number))
            if start in free and occupancy.least(place.rooms, start, (head, head)) >= place.at_once:
                verdict.found(f"{where}: {start:%d %H:%M} is taken and told free")
            if start not in free and occupancy.most(place.rooms, start, (head, head)) < place.at_once:
                verdict.found(f"{where}: {start:%d %H:%M} is free and told taken")
    return verdict


def messages_once(evidence: Evidence) -> Verdict:
    """Whoever has an address is told of every change of a visit, once; what was sent is in the outbox once."""
    verdict = Verdict(7, "messages are sent once")
    taken = Counter(message["delivery_id"] for message in evidence.outbox)
    verdict.looked_at = len(evidence.deliveries)
    for delivery in evidence.deliveries:
        times = taken.pop(str(delivery["id"]), 0)
        if delivery["state"] in {"sent", "delivered"} and times == 0:
            verdict.found(f"delivery {delivery['id']}: lost")
        if times > 1:
            verdict.found(f"delivery {delivery['id']}: {times} times in the outbox")
    for unknown, times in taken.items():
        verdict.found(f"{times} messages as delivery {unknown}, of which the ledger does not know")
    told_of = Counter((one["position"], one["channel"], str(one["recipient_id"])) for one in evidence.deliveries)
    for told, times in told_of.items():
        if times > 1:
            verdict.found(f"position {told[0]} was told {times} times")
    due = _news(Visits(evidence.journal), evidence.world.reached)
    for position in sorted(due - {position for position, _, _ in told_of}):
        verdict.found(f"position {position}: nobody was told")
    verdict.notes |= dict(Counter(str(one["state"]) for one in evidence.deliveries)) | {"outbox": len(evidence.outbox)}
    return verdict


def _news(visits: Visits, reached: Collection[str]) -> set[int]:
    """The positions at which someone with an address is booked, or a booking of theirs is moved or called off."""
    return {
        after.position
        for states in visits.states.values()
        if states[0].customer_id in reached
        for before, after in pairwise([None, *states])
        if after and (after.status == BOOKED or (before and before.status == BOOKED))
    }


def sockets_complete(evidence: Evidence) -> Verdict:
    """Across all its connections a subscriber got every change of its room once, in order and as it is."""
    verdict = Verdict(10, "sockets miss nothing, double nothing and say what is so")
    visits = Visits(evidence.journal)
    by_subscriber: defaultdict[tuple[int, str], list[Frame]] = defaultdict(list)
    for connection in evidence.histories.connections:
        by_subscriber[connection.process, connection.topic]
    for frame in evidence.histories.frames:
        by_subscriber[frame.process, frame.topic].append(frame)
    for (number, topic), frames in by_subscriber.items():
        verdict.looked_at += len(frames)
        room = topic.split(":")[1]
        got = [frame.position for frame in frames]
        doubled = [position for position, times in Counter(got).items() if times > 1]
        missed = {position for position in _changes(visits, room) if position <= evidence.told_up_to} - set(got)
        untrue = [frame.position for frame in frames if not _is_so(frame, room, visits)]
        for what, positions in (("doubled", doubled), ("missed", sorted(missed)), ("told wrongly", untrue)):
            if positions:
                verdict.found(f"subscriber {number} of {topic}: {what} {positions[:5]} of {len(got)}")
        if got != sorted(got):
            verdict.found(f"subscriber {number} of {topic}: out of order")
    verdict.notes["connections"] = len(evidence.histories.connections)
    return verdict


def _changes(visits: Visits, room: str) -> Iterator[int]:
    """Where the journal changes something in a room: a visit in it, or one that leaves it."""
    for states in visits.states.values():
        for before, after in pairwise([None, *states]):
            if after and (room in after.rooms or (before and room in before.rooms)):
                yield after.position


def _is_so(frame: Frame, room: str, visits: Visits) -> bool:
    told = frame.payload
    visit = visits.at(told["id"], frame.position)
    if visit is None or visit.position != frame.position:
        return False
    if told.get("removed"):
        return room not in visit.rooms
    is_told = told["status"], told["version"], told["customer_id"], datetime.fromisoformat(told["start"])
    return room in visit.rooms and is_told == (visit.status, visit.version, visit.customer_id, visit.start)
