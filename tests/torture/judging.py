"""Whether what clients were told is what the journal holds: pure functions over the evidence.

They share nothing with what they judge: positions, command ids and the clients' own clocks are all they go by. What
cannot be said for certain is never a violation; why each is certain stands beside it.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from tests.torture.evidence import Evidence, Stored
from tests.torture.history import FAIL, OK, Call
from tests.torture.timeline import Clock, Occupancy, Verdict, by_key, command_id_of, returned_ns

UNKNOWN_ENDS = "unknown after retry"
EFFECT = "appointment."
MADE = ("appointment.booked.v1", "appointment.held.v1")


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
    for key, calls in by_key(evidence).items():
        verdict.looked_at += 1
        facts = evidence.by_command.get(command_id_of(evidence, key), [])
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
    for key, calls in by_key(evidence).items():
        answered = [call for call in calls if call.outcome == OK and call.kind != "misuse"]
        if answered and evidence.by_command.get(command_id_of(evidence, key)):
            first = min(call.invoked_ns for call in calls)
            spans.append((first, min(returned_ns(call) for call in answered), answered[0].position or 0, key))
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


def one_answer_per_key(evidence: Evidence) -> Verdict:
    verdict = Verdict(6, "one answer and one effect per key, 422 for another body")
    for key, calls in by_key(evidence).items():
        verdict.looked_at += 1
        answers = {str(call.answer) + str(call.position) for call in calls if call.outcome == OK}
        if len(answers) > 1:
            verdict.found(f"{key}: {len(answers)} answers")
        facts = evidence.by_command.get(command_id_of(evidence, key), [])
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
