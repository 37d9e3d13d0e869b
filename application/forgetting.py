"""Who booked without an account and never proved the contact is forgotten again, with all that they wrote."""

from datetime import datetime, timedelta

from application.decision import State, evolved
from application.journal import Journal
from application.manage_links import UnprovedPeople
from application.vault import Vault
from domain.appointment import Appointment
from domain.visitor import VISITOR_HOLD_MIN, Fate, Visitor, fate, visitor_id

LOOKED_AFTER_FOR = timedelta(minutes=VISITOR_HOLD_MIN + 1)
"""A minute more than the hold, for clocks that differ: whoever confirms in its last second is not forgotten."""
AGAIN_AFTER = timedelta(minutes=1)
TAKEN_MAX = 100


async def forget_unproved(people: UnprovedPeople, journal: Journal, vault: Vault, *, now: datetime) -> int:
    """One round; how many it has looked at. May be begun again at any point: to forget twice is to forget."""
    async with people.take(TAKEN_MAX, now) as taken:
        if not taken.people:
            return 0
        streams = await journal.load(
            [stream_id for one in taken.people for stream_id in (one.appointment_id, visitor_id(one.appointment_id))]
        )
        states: dict[object, State | None] = {}
        for stream_id, recorded in streams.items():
            for each in recorded:
                states[stream_id] = evolved(states.get(stream_id), each.fact)
        still_open = []
        for one in taken.people:
            visit, visitor = states.get(one.appointment_id), states.get(visitor_id(one.appointment_id))
            found = fate(
                visit if isinstance(visit, Appointment) else None,
                visitor if isinstance(visitor, Visitor) else None,
                now=now,
            )
            if found is Fate.OPEN:
                still_open.append(one)
            elif found is Fate.FORGOTTEN:
                await vault.erase(one.organization_id, one.customer_id)
        await taken.put_off(still_open, now + AGAIN_AFTER)
        await taken.settled([one for one in taken.people if one not in still_open])
        return len(taken.people)
