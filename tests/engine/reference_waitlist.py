"""Whose turn it is, as the second engine sees it: what was given back goes to the first whom it suits, and so on."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from domain.service import Terms
from tests.engine.reference import Entry, House, Visit, day_of, minute_of, moment_of, wall
from tests.engine.reference_rules import Verdict, Wish, candidates, claim_of, judge


@dataclass(frozen=True)
class Freed:
    """Minutes of resources, and visits (service and start) of which somebody may now have one."""

    minutes: frozenset[tuple[UUID, int]]
    visits: frozenset[tuple[UUID, int]]
    last: int

    def is_to_come(self, now: datetime) -> bool:
        return moment_of(self.last) > now


@dataclass(frozen=True)
class Records:
    """What stands written at one time: who takes which minutes of a resource's date, who sits in which session.

    ``sessions`` are also of those whose seats have lapsed: these are not given back a second time.
    """

    minutes: Mapping[tuple[UUID, UUID, date], frozenset[int]]
    seats: frozenset[tuple[UUID, UUID, int, int]]
    sessions: frozenset[tuple[UUID, UUID, int, int]]


def records(house: House) -> Records:
    taken: dict[tuple[UUID, UUID, date], set[int]] = {}
    for taking in house.takings(recorded=True):
        zone = house.resources[taking.resource_id].time_zone
        for minute in range(taking.begins, taking.ends):
            taken.setdefault((taking.claimant, taking.resource_id, day_of(zone, minute)), set()).add(minute)
    of_sessions = [visit for visit in house.standing(recorded=True) if visit.session]
    return Records(
        {key: frozenset(minutes) for key, minutes in taken.items()},
        frozenset((one.id, *one.session, one.end) for one in of_sessions if one.session and not one.unseated),
        frozenset((one.id, *one.session, one.end) for one in of_sessions if one.session),
    )


def freed(before: Records, after: Records, lifted: Collection[UUID] = ()) -> Freed:
    """What stood written and does so no more. Whatever ``lifted`` visits had was free for a moment."""
    gone = {
        (resource_id, minute)
        for (claimant, resource_id, day), minutes in before.minutes.items()
        if claimant in lifted or not minutes <= after.minutes.get((claimant, resource_id, day), frozenset())
        for minute in minutes
    }
    left = {one for one in before.seats if one not in after.sessions or one[0] in lifted}
    ends = [minute + 1 for _, minute in gone] + [end for *_, end in left]
    return Freed(
        frozenset(gone), frozenset((service_id, start) for _, service_id, start, _ in left), max(ends, default=0)
    )


def let_offers_lapse(house: House) -> None:
    """Whoever has let the time of an offer pass waits again."""
    for entry in house.waiting:
        if entry.offer and not house.visits[entry.offer].is_live(house.now):
            let_go(house, house.visits[entry.offer])


def passed_over(house: House, free: Freed, offered: Collection[Visit]) -> Iterator[tuple[Entry, int]]:
    """Whose turn was lost, and which start: were it not for what has been offered to others behind, it could be had.

    Those are asked about that would take some of what was given back, or of what was offered to those behind.
    """
    for place, entry in enumerate(house.waiting):
        if entry.offer is None:
            behind = {one.offer for one in house.waiting[place:]}
            later = [visit for visit in offered if visit.id in behind]
            for visit in later:
                visit.released = True
            found = next(_suiting(house, entry, _with(house, free, later)), None)
            for visit in later:
                visit.released = False
            if found:
                yield entry, found[0].start


def _with(house: House, free: Freed, visits: Collection[Visit]) -> Freed:
    """And what these visits take, which are left out of account: of a session that others are in, seats alone."""
    opening = [visit for visit in visits if not (visit.session and house.seated(visit.session))]
    minutes = {
        (resource_id, minute)
        for visit in opening
        for resource_id, _ in visit.takes
        for minute in range(visit.begins, visit.ends)
    }
    sessions = {visit.session for visit in visits if visit.session}
    return Freed(free.minutes | minutes, free.visits | sessions, free.last)


def _suiting(house: House, entry: Entry, free: Freed) -> Iterator[tuple[Wish, Verdict]]:
    terms = house.services[entry.service_id]
    for start in starts(entry, terms):
        if moment_of(start) > house.now and _takes_some(house, entry, start, free):
            wish = wish_of(entry, start)
            verdict = judge(house, wish)
            if not verdict.against:
                yield wish, verdict


def wish_of(entry: Entry, start: int) -> Wish:
    return Wish(
        service_id=entry.service_id,
        customer_id=entry.customer_id,
        start=start,
        resource_ids=(entry.resource_id,) if entry.resource_id else (),
        seats=entry.seats,
        is_offer=True,
    )


def starts(entry: Entry, terms: Terms) -> Iterator[int]:
    """All starts of visits that lie within the windows, and in nothing that was let go."""
    within = {minute for start, end in entry.windows for minute in range(minute_of(start), minute_of(end))}
    passed = {minute for start, end in entry.passed for minute in range(start, end)}
    for start in sorted(within):
        visit = range(start, start + terms.duration_min)
        if within.issuperset(visit) and passed.isdisjoint(visit):
            yield start


def _takes_some(house: House, entry: Entry, start: int, free: Freed) -> bool:
    """Whether the visit would have been in the way of, or sat beside, what was given back."""
    if (entry.service_id, start) in free.visits:
        return True
    terms = house.services[entry.service_id]
    for resource_id in _could_serve(candidates(house, terms), entry.resource_id):
        if any((resource_id, minute) in free.minutes for minute in range(*claim_of(terms, start))):
            shown = wall(house.resources[resource_id].time_zone, start).now
            if (shown.hour * 60 + shown.minute) % terms.slot_step_min == 0:
                return True
    return False


def _could_serve(suiting: list[list[UUID]], wanted: UUID | None) -> set[UUID]:
    """Who could serve beside the one that is wanted, if one is."""
    if wanted is None:
        return {one for ones in suiting for one in ones}
    places = [place for place, ones in enumerate(suiting) if wanted in ones]
    others = {one for place, ones in enumerate(suiting) for one in ones if set(places) - {place}}
    return others | {wanted} if places else set()


def let_go(house: House, visit: Visit) -> None:
    """If it was an offer: whoever had it waits on, but not for that time."""
    entry = house.entry(visit.entry_id) if visit.entry_id else None
    if entry is not None and entry.offer == visit.id:
        entry.offer = None
        entry.passed.append((visit.start, visit.end))


def taken_up(house: House, visit: Visit) -> None:
    """If it was an offer: whoever had it waits no more."""
    entry = house.entry(visit.entry_id) if visit.entry_id else None
    if entry is not None and entry.offer in {visit.id, None}:
        house.waiting.remove(entry)


def offer_ends(house: House, wish: Wish) -> datetime:
    until = house.now + timedelta(minutes=house.services[wish.service_id].offer_min)
    return min(until, moment_of(wish.start))


def could_have(house: House, entry: Entry) -> int | None:
    """A start that an entry waits for in vain: it could be had."""
    for start in starts(entry, house.services[entry.service_id]):
        if moment_of(start) > house.now and not judge(house, wish_of(entry, start)).against:
            return start
    return None
