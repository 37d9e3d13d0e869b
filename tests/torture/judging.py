"""Whether the promises were kept: pure functions over the evidence. Each answers what it counted and what it found.

They share nothing with what they judge: positions, command ids and the clients' own clocks are all they go by. What
cannot be said for certain is never a violation; why each is certain stands beside it.
"""

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from tests.torture.evidence import Evidence, OnTopic, Stored
from tests.torture.history import FAIL, OK, Call

UNKNOWN_ENDS = "unknown after retry"
EFFECT = "appointment."
MADE = ("appointment.booked.v1", "appointment.held.v1")


@dataclass(slots=True)
class Verdict:
    """``looked_at``: how many there were to judge; ``violations`` name the position or the key."""

    row: int
    promise: str
    looked_at: int = 0
    violations: list[str] = field(default_factory=list)
    notes: dict[str, Any] = field(default_factory=dict)

    def found(self, what: str) -> None:
        self.violations.append(what)


def judge(evidence: Evidence) -> list[Verdict]:
    return [check(evidence) for check in CHECKS]


def no_double_booking(evidence: Evidence) -> Verdict:
    """Both sweeps: Daybook's own, and one of ours over the claims of single rooms and the hall."""
    verdict = Verdict(1, "no double booking, no overrun")
    code, told = evidence.jobs["verify"]
    if code:
        verdict.found(f"daybook verify: {told}")
    occupancy = Occupancy(evidence.journal)
    capacities = {place.room: place.capacity for place in evidence.world.places if place.room}
    for (room, start), spans in occupancy.taken.items():
        if room not in capacities:
            continue
        verdict.looked_at += 1
        for position, _, until, at in spans:
            standing = [one for one in spans if one[0] <= position < one[1] and (one[2] is None or one[2] > at)]
            if (until is None or until > at) and len(standing) > capacities[room]:
                verdict.found(f"position {position}: {room} at {start} is claimed {len(standing)} times")
    return verdict


def kept(evidence: Evidence) -> Verdict:
    """An acknowledged command has its facts at the position that was told; a refused one has none.

    A refusal is only held against a fact that was in the journal before the refused call began, or that no other
    attempt can have written: an earlier attempt whose answer was lost may still succeed after a later one is refused.
    """
    verdict = Verdict(2, "acknowledged is kept, refused is not done")
    clock = Clock(evidence)
    unknown = 0
    for key, calls in _by_key(evidence).items():
        verdict.looked_at += 1
        facts = evidence.by_command.get(_command_id(evidence, key), [])
        acknowledged = [call for call in calls if call.outcome == OK]
        if acknowledged and (not facts or facts[-1].position != acknowledged[0].position):
            last = facts[-1].position if facts else None
            verdict.found(f"{key}: acknowledged at {acknowledged[0].position}, in the journal at {last}")
        uncertain = any(call.outcome not in {OK, FAIL} for call in calls)
        refused = [call for call in calls if call.outcome == FAIL and call.kind != "misuse"]
        if facts and refused and (not uncertain or any(facts[-1].position <= clock.known_before(c) for c in refused)):
            verdict.found(f"{key}: refused ({refused[-1].problem}), but done at {facts[-1].position}")
        unknown += not acknowledged and not refused
        for call in acknowledged:
            if call.kind in {"book", "hold"} and not _is_as_told(call, facts):
                verdict.found(f"{key}: position {call.position} is not what was answered")
    verdict.notes[UNKNOWN_ENDS] = unknown
    return verdict


def _is_as_told(call: Call, facts: Sequence[Stored]) -> bool:
    made = next((fact for fact in facts if fact.topic in MADE), None)
    if made is None:
        return False
    told = datetime.fromisoformat(call.answer["start"])
    return (
        made.data["appointment_id"] == call.answer["id"]
        and datetime.fromisoformat(made.data["visit"]["start"])
        == told
        == datetime.fromisoformat(call.arguments["start"])
        and made.data["customer_id"] == call.arguments["customer_id"]
    )


def in_order(evidence: Evidence) -> Verdict:
    """Positions agree with time: what had returned before another was first asked for precedes it.

    Of a command that was asked several times, the interval is from the first invocation to the first answer.
    """
    verdict = Verdict(3, "commands take effect in the order of time")
    spans = []
    for key, calls in _by_key(evidence).items():
        answered = [call for call in calls if call.outcome == OK and call.kind != "misuse"]
        if answered and evidence.by_command.get(_command_id(evidence, key)):
            first = min(call.invoked_ns for call in calls)
            spans.append((first, min(_returned(call) for call in answered), answered[0].position or 0, key))
    verdict.looked_at = len(spans)
    by_return = sorted((returned, position, key) for _, returned, position, key in spans)
    highest, at = (0, ""), 0
    for invoked, _, position, key in sorted(spans):
        while at < len(by_return) and by_return[at][0] < invoked:
            highest = max(highest, by_return[at][1:])
            at += 1
        if highest[0] >= position and highest[1] != key:
            verdict.found(f"{key} at {position} began after {highest[1]} at {highest[0]} had returned")
    return verdict


def refusals_justified(evidence: Evidence) -> Verdict:
    """``slot-taken`` for a room that was free at every position that its interval can have seen."""
    verdict = Verdict(3, "refusals are justified by a state in their interval")
    clock, occupancy = Clock(evidence), Occupancy(evidence.journal)
    places = {place.service_id: place for place in evidence.world.places if place.room}
    for call in evidence.commands:
        place = places.get(str(call.arguments.get("service_id")))
        if call.outcome != FAIL or call.problem != "slot-taken" or place is None:
            continue
        verdict.looked_at += 1
        start = datetime.fromisoformat(call.arguments["start"])
        low, high = clock.known_before(call), clock.unknown_after(call)
        if occupancy.most((str(place.room), start), low, high) < place.capacity:
            verdict.found(f"{call.key}: {start:%d %H:%M} was free at every position from {low} to {high}")
    return verdict


def reads_are_fresh(evidence: Evidence) -> Verdict:
    """A read with a position shows at least the version that was told with that position, or the slots of then."""
    verdict = Verdict(3, "reads with a position are not stale")
    occupancy, clock = Occupancy(evidence.journal), Clock(evidence)
    capacities = {place.service_id: place for place in evidence.world.places}
    for call in evidence.histories.calls:
        if call.outcome != OK or call.fence is None:
            continue
        verdict.looked_at += 1
        if call.kind == "read" and call.answer["version"] < call.arguments["version"]:
            verdict.found(f"appointment {call.arguments['id']} at {call.fence}: version {call.answer['version']}")
        elif call.kind == "slots":
            if call.answer["position"] < call.fence:
                verdict.found(f"slots at {call.fence}: told of {call.answer['position']}")
            place = capacities[call.arguments["service_id"]]
            if place.room:
                high = clock.unknown_after(call)
                for what in _slots_wrong(call, place, evidence, occupancy, high):
                    verdict.found(what)
    return verdict


def _slots_wrong(call: Call, place: Any, evidence: Evidence, occupancy: "Occupancy", high: int) -> Iterator[str]:
    """Told free though it was full, or taken though it was free, at every position between the fence and the end."""
    told = {datetime.fromisoformat(slot["start"]) for slot in call.answer["slots"]}
    for number in range(place.slots):
        start = datetime.fromisoformat(evidence.world.start_of(number))
        where = (place.room, start)
        low = call.fence or 0
        if start in told and occupancy.least(where, low, high) >= place.capacity:
            yield f"slots at {low}: {start:%d %H:%M} is told free, and was full up to {high}"
        elif start not in told and occupancy.most(where, low, high) < place.capacity:
            yield f"slots at {low}: {start:%d %H:%M} is told taken, and was free up to {high}"


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
        if name == "verify":
            continue
        verdict.looked_at += 1
        if code:
            verdict.found(f"daybook {name}: {str(told)[:400]}")
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


def one_answer_per_key(evidence: Evidence) -> Verdict:
    verdict = Verdict(6, "one answer and one effect per key, 422 for another body")
    for key, calls in _by_key(evidence).items():
        verdict.looked_at += 1
        answers = {str(call.answer) + str(call.position) for call in calls if call.outcome == OK}
        if len(answers) > 1:
            verdict.found(f"{key}: {len(answers)} answers")
        facts = evidence.by_command.get(_command_id(evidence, key), [])
        # A booking also gives back the customer's own holds that are in its way: those are other streams.
        effects = Counter(fact.stream_id for fact in facts if fact.topic.startswith(EFFECT))
        made = sum(fact.topic in MADE for fact in facts)
        if made > 1 or any(times > 1 for times in effects.values()):
            verdict.found(f"{key}: done more than once at {[fact.position for fact in facts]}")
        for call in calls:
            if call.kind == "misuse" and call.outcome != "unknown" and call.status != 422:
                verdict.found(f"{key}: another body was answered by {call.status}")
    verdict.notes["replays"] = sum(call.replayed for call in evidence.commands)
    return verdict


def messages_once(evidence: Evidence) -> Verdict:
    """Each booking of somebody with an address has its message in the ledger; what was sent is in the outbox once."""
    verdict = Verdict(7, "messages are sent once")
    taken = Counter(message["delivery_id"] for message in evidence.outbox)
    states = Counter(str(delivery["state"]) for delivery in evidence.deliveries)
    verdict.looked_at = len(evidence.deliveries)
    for delivery in evidence.deliveries:
        times = taken[str(delivery["id"])]
        if delivery["state"] == "sent" and times == 0:
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


CHECKS: Sequence[Callable[[Evidence], Verdict]] = (
    no_double_booking,
    kept,
    in_order,
    refusals_justified,
    reads_are_fresh,
    relay_misses_nothing,
    replay_equal,
    one_answer_per_key,
    messages_once,
    sockets_complete,
    free_slots_right,
)


class Clock:
    """Times to positions, by what acknowledged calls tell: one that returned before a moment was in the journal then;
    one whose key was first asked for after a moment was not.
    """

    def __init__(self, evidence: Evidence) -> None:
        commands = evidence.commands
        first: dict[str, int] = {}
        returned, invoked = [], []
        for call in commands:
            first[str(call.key)] = min(call.invoked_ns, first.get(str(call.key), call.invoked_ns))
        for call in commands:
            if call.outcome == OK and call.position:
                returned.append((_returned(call), call.position))
                facts = evidence.by_command.get(_command_id(evidence, str(call.key)))
                if facts:
                    invoked.append((first[str(call.key)], facts[0].position))
        self._returned, self._invoked = sorted(returned), sorted(invoked)
        self._highest = _running(self._returned, max)
        self._lowest = _running(self._invoked[::-1], min)[::-1]

    def known_before(self, call: Call) -> int:
        """The journal had come at least so far when the call began."""
        at = bisect_left(self._returned, (call.invoked_ns, 0))
        return self._highest[at - 1] if at else 0

    def unknown_after(self, call: Call) -> int:
        """It had not come so far when the call returned."""
        at = bisect_right(self._invoked, (_returned(call), 1 << 62))
        return self._lowest[at] - 1 if at < len(self._lowest) else 1 << 62


class Occupancy:
    """By room and start, every claim as (from position, up to position, until, decided at).

    A claim past its deadline stands until it is released: where that would accuse somebody, ``least`` is asked.
    """

    def __init__(self, journal: Sequence[Stored]) -> None:
        self.taken: defaultdict[tuple[str, datetime], list[tuple[int, int, datetime | None, datetime]]]
        self.taken = defaultdict(list)
        standing: dict[tuple[UUID, str], tuple[tuple[str, datetime], int]] = {}
        for fact in journal:
            if not fact.topic.startswith("resource_day."):
                continue
            holder = (fact.stream_id, fact.data["appointment_id"])
            if holder in standing:
                where, at = standing.pop(holder)
                since, _, until, decided = self.taken[where][at]
                self.taken[where][at] = (since, fact.position, until, decided)
            if fact.topic == "resource_day.slot_claimed.v1":
                where = (fact.data["resource_id"], datetime.fromisoformat(fact.data["claim"]["start"]))
                deadline = fact.data.get("until")
                until = datetime.fromisoformat(deadline) if deadline else None
                standing[holder] = where, len(self.taken[where])
                self.taken[where].append((fact.position, 1 << 62, until, fact.at))

    def most(self, where: tuple[str, datetime], low: int, high: int) -> int:
        """How many claims stood at once at some position from ``low`` to ``high``, at the most."""
        return max(self._counts(where, low, high))

    def least(self, where: tuple[str, datetime], low: int, high: int) -> int:
        """At the least; holds do not count, which may be over before they are released."""
        return min(self._counts(where, low, high, holds=False))

    def _counts(self, where: tuple[str, datetime], low: int, high: int, *, holds: bool = True) -> list[int]:
        spans = [span for span in self.taken.get(where, ()) if holds or span[2] is None]
        moments = {low} | {p for since, up_to, *_ in spans for p in (since, up_to) if low <= p <= high}
        return [sum(since <= moment < up_to for since, up_to, *_ in spans) for moment in moments]


def _by_key(evidence: Evidence) -> dict[str, list[Call]]:
    found: defaultdict[str, list[Call]] = defaultdict(list)
    for call in evidence.commands:
        found[str(call.key)].append(call)
    return {key: sorted(calls, key=lambda call: call.invoked_ns) for key, calls in found.items()}


def _command_id(evidence: Evidence, key: str) -> UUID:
    return uuid5(evidence.account_id, key)


def _returned(call: Call) -> int:
    return call.returned_ns if call.returned_ns is not None else 1 << 62


def _running(pairs: Sequence[tuple[int, int]], better: Callable[[int, int], int]) -> list[int]:
    found: list[int] = []
    for _, position in pairs:
        found.append(better(found[-1], position) if found else position)
    return found
