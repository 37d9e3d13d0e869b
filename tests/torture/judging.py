"""Whether what clients were told is what the journal holds: pure functions over the evidence.

They share nothing with what they judge: positions, command ids and the clients' own clocks are all they go by. What
cannot be said for certain is never a violation; why each is certain stands beside it.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from tests.torture.evidence import Evidence
from tests.torture.history import FAIL, OK, Call
from tests.torture.states import BOOKED, CANCELLED, HELD, Occupancy, Visit, Visits
from tests.torture.talking import ANSWER_WITHIN_S
from tests.torture.timeline import Clock, Verdict, by_key, command_id_of, returned_ns
from tests.torture.world import Place

UNKNOWN_ENDS = "unknown after retry"
EFFECT = "appointment."
MADE = ("appointment.booked.v1", "appointment.held.v1")
BECOMES = {"book": {BOOKED}, "hold": {HELD}, "confirm": {BOOKED}, "cancel": {CANCELLED}, "reschedule": {BOOKED, HELD}}
POSSIBLE = {"confirm": {HELD}, "cancel": {BOOKED, HELD}, "reschedule": {BOOKED, HELD}}
"""In which states each command on a visit is right."""
GIVES_UP_AFTER = timedelta(seconds=ANSWER_WITHIN_S)
"""No call that was answered took longer."""
CLOCKS_APART = timedelta(seconds=1)
"""All run on one machine: what is left is the time between a decision's reading of the clock and ours."""


def no_double_booking(evidence: Evidence) -> Verdict:
    """A sweep of ours over the claims of every room."""
    verdict = Verdict(1, "no double booking, no overrun")
    capacities = {room: place.capacity for place in evidence.world.places for room in place.rooms}
    for (room, start), spans in Occupancy(evidence.journal).taken.items():
        verdict.looked_at += 1
        for span in spans:
            standing = [s for s in spans if s.since <= span.since < s.up_to and s.outlives(span.decided)]
            if span in standing and len(standing) > capacities[room]:
                verdict.found(f"position {span.since}: {room} at {start} is claimed {len(standing)} times")
    return verdict


def kept(evidence: Evidence) -> Verdict:
    """An acknowledged command has its facts at the position that was told; a refused one has none.

    A refusal is only held against a fact that was in the journal before the refused call began, or that no other
    attempt can have written: an earlier attempt whose answer was lost may still succeed after a later one is refused.
    """
    verdict = Verdict(2, "acknowledged is kept, refused is not done")
    clock, visits = Clock(evidence), Visits(evidence.journal)
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
        for call in acknowledged if facts else ():
            if call.kind in BECOMES and (wrong := _told_wrong(call, visits.at(call.answer["id"], call.position or 0))):
                verdict.found(f"{key}: at {call.position} {wrong}")
    verdict.notes[UNKNOWN_ENDS] = unknown
    return verdict


def _told_wrong(call: Call, visit: Visit | None) -> str:
    """In what the answer to a command differs from what the journal makes of the visit, or from what was asked for."""
    if visit is None or visit.status not in BECOMES[call.kind]:
        return f"the visit is {visit and visit.status} after {call.kind}"
    told, asked = call.answer, call.arguments
    differs = [
        name for name in ("status", "version", "customer_id", "service_id") if told[name] != getattr(visit, name)
    ]
    if visit.id != (asked["visit"] or visit.id):
        differs.append("id")
    if (asked["if_match"] or "*") not in {"*", f'"v{visit.version - 1}"'}:
        return f"it was version {visit.version - 1}, and {asked['if_match']} was asked for"
    starts = {visit.start, *(datetime.fromisoformat(one["start"]) for one in (told, asked) if "start" in one)}
    if len(starts) > 1:
        differs.append("start")
    if frozenset(told["resource_ids"]) != visit.rooms and visit.rooms:
        differs.append("resource_ids")
    return f"the answer differs in {', '.join(differs)}" if differs else ""


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
    """A refusal that no state of the slot or of the visit accounts for, at any position its interval can have seen."""
    verdict = Verdict(3, "refusals are justified by a state in their interval")
    clock, occupancy, visits = Clock(evidence), Occupancy(evidence.journal), Visits(evidence.journal)
    for call in evidence.commands:
        if call.outcome != FAIL or call.kind == "misuse":
            continue
        verdict.looked_at += 1
        verdict.notes[call.problem] = verdict.notes.get(call.problem, 0) + 1
        seen = visits.between(call.arguments["visit"], clock.interval(call)) if call.arguments["visit"] else []
        if call.problem == "slot-taken":
            wrong = _was_free(call, evidence.world.places, occupancy, clock.interval(call), seen)
        elif call.problem == "customer-elsewhere":
            wrong = _was_nowhere(call, visits, clock.interval(call), seen)
        else:
            wrong = _was_possible(call, seen)
        if wrong:
            verdict.found(f"{call.key}: {call.kind} {call.problem}: {wrong}")
    return verdict


def _was_free(
    call: Call, places: Sequence[Place], occupancy: Occupancy, interval: tuple[int, int], seen: Sequence[Visit]
) -> str:
    service_id = seen[0].service_id if seen else call.arguments.get("service_id")
    place = next((place for place in places if place.service_id == service_id), None)
    if place is None:
        return "there was no such visit"
    start = datetime.fromisoformat(call.arguments["start"])
    taken = occupancy.most(place.rooms, start, interval, after=_over_by(call), but=call.arguments["visit"])
    return f"{start:%d %H:%M} had room at every position of {interval}" if taken < place.at_once else ""


def _was_nowhere(call: Call, visits: Visits, interval: tuple[int, int], seen: Sequence[Visit]) -> str:
    """Whether the customer had no other visit at that time."""
    customer_id = seen[0].customer_id if seen else call.arguments.get("customer_id")
    start = datetime.fromisoformat(call.arguments["start"])
    is_elsewhere = any(
        visit.start == start and visit.rooms and visit_id != call.arguments["visit"]
        for visit_id in visits.of_customer(customer_id)
        for visit in visits.between(visit_id, interval)
    )
    return "" if is_elsewhere else f"{customer_id} had no other visit at {start:%d %H:%M}"


def _was_possible(call: Call, seen: Sequence[Visit]) -> str:
    """Whether a command on a visit was right in every state that it can have met: then it was refused wrongly."""
    match call.problem:
        case "stale-version":
            is_wrong = all(call.arguments["if_match"] in {"*", f'"v{visit.version}"'} for visit in seen)
        case "not-in-that-state":
            is_wrong = all(visit.status in POSSIBLE[call.kind] for visit in seen)
        case "hold-lapsed":
            stands = _stands_until(call)
            is_wrong = all(visit.until is None or visit.until > stands for visit in seen)
        case _:
            is_wrong = True
    return f"it was {sorted({visit.status for visit in seen})} all the while" if is_wrong else ""


def _over_by(call: Call) -> datetime:
    """A hold with an earlier deadline was over whenever the call was decided."""
    return datetime.fromisoformat(call.invoked_at) - CLOCKS_APART


def _stands_until(call: Call) -> datetime:
    """A hold with a later deadline was not."""
    return datetime.fromisoformat(call.invoked_at) + GIVES_UP_AFTER + CLOCKS_APART


def reads_are_fresh(evidence: Evidence) -> Verdict:
    """A read with a position is answered, by what was then or has become since: the visit's state, the free slots."""
    verdict = Verdict(3, "reads with a position are not stale")
    occupancy, visits, clock = Occupancy(evidence.journal), Visits(evidence.journal), Clock(evidence)
    places = {place.service_id: place for place in evidence.world.places}
    for call in evidence.histories.calls:
        if call.fence is None or call.outcome not in {OK, FAIL}:
            continue
        verdict.looked_at += 1
        if call.outcome == FAIL:
            verdict.found(f"{call.kind} {call.arguments} at {call.fence}: {call.status} {call.problem}")
        elif call.kind == "read":
            if wrong := _read_wrong(call, visits):
                verdict.found(f"appointment {call.arguments['visit']} at {call.fence}: {wrong}")
        else:
            high = clock.unknown_after(call)
            for what in _slots_wrong(call, places[call.arguments["service_id"]], evidence, occupancy, high):
                verdict.found(what)
    return verdict


def _read_wrong(call: Call, visits: Visits) -> str:
    told = call.answer
    visit = visits.of_version(call.arguments["visit"], told["version"])
    if told["version"] < call.arguments["version"] or visit is None:
        return f"version {told['version']}, where {call.arguments['version']} was known"
    is_told = told["status"], told["customer_id"], datetime.fromisoformat(told["start"])
    is_so = visit.status, visit.customer_id, visit.start
    return "" if is_told == is_so else f"version {visit.version} is told as {is_told}, and is {is_so}"


def _slots_wrong(call: Call, place: Place, evidence: Evidence, occupancy: Occupancy, high: int) -> Iterator[str]:
    """Told free though it was full, or taken though it was free, at every position between the fence and the end."""
    low = call.fence or 0
    if call.answer["position"] < low:
        yield f"slots at {low}: told of {call.answer['position']}"
    told = {datetime.fromisoformat(slot["start"]) for slot in call.answer["slots"]}
    over, stands = _over_by(call), _stands_until(call)
    for number in range(place.slots):
        start = datetime.fromisoformat(evidence.world.start_of(number))
        if start in told and occupancy.least(place.rooms, start, (low, high), until=stands) >= place.at_once:
            yield f"slots at {low}: {start:%d %H:%M} is told free, and was full up to {high}"
        elif start not in told and occupancy.most(place.rooms, start, (low, high), after=over) < place.at_once:
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
