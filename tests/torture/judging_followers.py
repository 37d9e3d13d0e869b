"""Whether all that follows the journal has come to the same: topic, read models, messages, sockets, free slots."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import datetime

from tests.torture.evidence import PROOFS, Evidence, OnTopic
from tests.torture.judging import MADE
from tests.torture.timeline import Occupancy, Verdict


def relay_misses_nothing(evidence: Evidence) -> Verdict:
    """On each partition no gap and no reorder from its first message on; each names the one before it.

    What a relay publishes again after a crash is told, and no violation: followers skip it by its position. What came
    to the journal after it was read for us, a hold that lapsed, is left out.
    """
    verdict = Verdict(4, "the relay misses nothing, in order", len(evidence.topic))
    head = evidence.journal[-1].position
    partition_at = {message.position: message.partition for message in evidence.topic}
    partition_of = {fact.org: partition_at[fact.position] for fact in evidence.journal if fact.position in partition_at}
    again = 0
    for partition in set(partition_of.values()):
        messages = [one for one in evidence.topic if one.partition == partition and one.position <= head]
        due = [fact.position for fact in evidence.journal if partition_of.get(fact.org) == partition]
        seen, repeated = _once(messages, verdict)
        again += repeated
        missing = [position for position in due if position >= seen[0] and position not in set(seen)]
        strange = set(seen) - set(due)
        if missing or strange:
            verdict.found(f"partition {partition}: missing {missing[:5]}, not in the journal {sorted(strange)[:5]}")
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


def replay_equal(evidence: Evidence) -> Verdict:
    """Every read model is what a replay makes of the journal, before and after some are rebuilt."""
    verdict = Verdict(5, "live = replayed = rebuilt")
    for name, (code, told) in evidence.jobs.items():
        if name in {"verify", PROOFS}:
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
        if place.room is None:
            continue
        free = {datetime.fromisoformat(start) for start in told}
        for number in range(place.slots):
            verdict.looked_at += 1
            start = datetime.fromisoformat(evidence.world.start_of(number))
            if start in free and occupancy.least((place.room, start), head, head) >= place.capacity:
                verdict.found(f"{where}: {start:%d %H:%M} is taken and told free")
            if start not in free and occupancy.most((place.room, start), head, head) < place.capacity:
                verdict.found(f"{where}: {start:%d %H:%M} is free and told taken")
    return verdict


def messages_once(evidence: Evidence) -> Verdict:
    """Each booking of somebody with an address has its message in the ledger; what was sent is in the outbox once."""
    verdict = Verdict(7, "messages are sent once")
    taken = Counter(message["delivery_id"] for message in evidence.outbox)
    states = Counter(str(delivery["state"]) for delivery in evidence.deliveries)
    verdict.looked_at = len(evidence.deliveries)
    for delivery in evidence.deliveries:
        times = taken[str(delivery["id"])]
        if delivery["state"] in {"sent", "delivered"} and times == 0:
            verdict.found(f"delivery {delivery['id']}: lost")
        if times > 1:
            verdict.found(f"delivery {delivery['id']}: {times} times in the outbox")
    told_of = {delivery["position"] for delivery in evidence.deliveries}
    for fact in evidence.journal:
        reached = fact.data.get("customer_id") in evidence.world.reached
        if fact.topic == "appointment.booked.v1" and reached and fact.position not in told_of:
            verdict.found(f"position {fact.position}: nobody was told")
    verdict.notes |= dict(states) | {"outbox": len(evidence.outbox)}
    return verdict


def sockets_complete(evidence: Evidence) -> Verdict:
    """Across all its connections a subscriber got every change of its topic once and in order."""
    verdict = Verdict(10, "sockets miss nothing and double nothing")
    by_subscriber: defaultdict[tuple[int, str], list[int]] = defaultdict(list)
    for connection in evidence.histories.connections:
        by_subscriber[connection.process, connection.topic]
    for frame in evidence.histories.frames:
        by_subscriber[frame.process, frame.topic].append(frame.position)
    booked: defaultdict[str, set[int]] = defaultdict(set)
    for fact in evidence.journal:
        if fact.topic in MADE:
            for allotment in fact.data["allotments"]:
                booked[f"resource:{allotment['resource_id']}:calendar"].add(fact.position)
    for (number, topic), got in by_subscriber.items():
        verdict.looked_at += len(got)
        doubled = [position for position, times in Counter(got).items() if times > 1]
        missed = (set(evidence.changes.get(topic, [])) | booked[topic]) - set(got)
        if doubled:
            verdict.found(f"subscriber {number} of {topic}: doubled {doubled[:5]}")
        if missed:
            verdict.found(f"subscriber {number} of {topic}: missed {sorted(missed)[:5]} of {len(got)}")
        if got != sorted(got):
            verdict.found(f"subscriber {number} of {topic}: out of order")
    verdict.notes["connections"] = len(evidence.histories.connections)
    return verdict
