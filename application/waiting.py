"""The waitlist's use cases: to join and to leave, and to accept or decline what is offered."""

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from application.claiming import suitable_resources
from application.decision import Decision, View
from application.visits import Cancel, Confirm, cancel, confirm
from domain.account import Customer, Role
from domain.permissions import Actor, ensure_may
from domain.refusals import AlreadyExists, HoldLapsed, InvalidValue, NotFound, NothingOffered
from domain.service import Service
from domain.waitlist import (
    Offer,
    Waitlist,
    WaitlistEnded,
    WaitlistEntry,
    WaitlistJoined,
    WaitlistLeft,
    ensure_may_join,
    usable_windows,
    waitlist_id,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Join:
    """``windows``: start and end of each; a visit within any of them suits. ``resource_id``: only on that one."""

    entry_id: UUID
    service_id: UUID
    customer_id: UUID
    windows: tuple[tuple[datetime, datetime], ...]
    resource_id: UUID | None = None
    seats: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Accept:
    entry_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Decline:
    entry_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Leave:
    entry_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class EndWaiting:
    """What the clock causes when windows have passed."""


def waits_for(wish: WaitlistEntry | Join) -> tuple[UUID, ...]:
    """The resource that it has to be, if it has to be one."""
    return (wish.resource_id,) if wish.resource_id else ()


def entry_answer(entry: WaitlistEntry, status: str | None = None) -> dict[str, object]:
    """An entry as the contract shows it; members without a value are left out. ``status`` of one that waits no more."""
    answer: dict[str, object] = {
        "id": entry.id,
        "status": status or ("offered" if entry.offer else "waiting"),
        "service_id": entry.service_id,
        "customer_id": entry.customer_id,
        "windows": entry.windows,
        "seats": entry.seats,
    }
    if entry.resource_id is not None:
        answer["resource_id"] = entry.resource_id
    if entry.offer is not None:
        answer["offer"] = {
            "appointment_id": entry.offer.appointment_id,
            "start": entry.offer.visit.start,
            "end": entry.offer.visit.end,
            "until": entry.offer.until,
        }
    return answer


def join(view: View, command: Join, actor: Actor, now: datetime) -> Decision:
    """Behind all who wait already. What is free at the moment is offered by the waitlist's keeper."""
    ensure_may(actor, "waitlist.join", subject_id=command.customer_id, resource_ids=waits_for(command))
    stream_id = waitlist_id(actor.organization_id)
    view.prepare([command.service_id, command.customer_id, stream_id])
    service = view.require(Service, command.service_id, actor)
    view.require(Customer, command.customer_id, actor)
    if not 1 <= command.seats <= service.terms.seats:
        raise InvalidValue("seats", f"between 1 and {service.terms.seats}")
    if command.resource_id is not None:
        suitable_resources(view, service, actor, (command.resource_id,))
    joined = WaitlistJoined(
        entry_id=command.entry_id,
        organization_id=actor.organization_id,
        service_id=command.service_id,
        customer_id=command.customer_id,
        windows=usable_windows(command.windows, service, now=now),
        resource_id=command.resource_id,
        seats=command.seats,
    )
    waitlist = view.get(Waitlist, stream_id)
    if waitlist and waitlist.entry(command.entry_id):
        raise AlreadyExists("waitlist_entry", command.entry_id)
    ensure_may_join(waitlist, joined)
    view.record(stream_id, joined)
    return view.decision(entry_answer(_require(view, command.entry_id, actor)))


def accept(view: View, command: Accept, actor: Actor, now: datetime) -> Decision:
    """The hold behind the offer is confirmed like any other. Raises ``NothingOffered``, ``HoldLapsed``."""
    entry = _entry_for(view, command.entry_id, actor, "waitlist.answer")
    offer = _standing(entry, now)
    taken = confirm(view, Confirm(appointment_id=offer.appointment_id), actor, now)
    return view.decision({**entry_answer(replace(entry, offer=None), "accepted"), "appointment": taken.answer})


def decline(view: View, command: Decline, actor: Actor, now: datetime) -> Decision:
    """The slot goes to the next; the entry waits on. Raises ``NothingOffered``, ``HoldLapsed``."""
    entry = _entry_for(view, command.entry_id, actor, "waitlist.answer")
    offer = _standing(entry, now)
    given_up = cancel(view, Cancel(appointment_id=offer.appointment_id), actor, now)
    after = _require(view, command.entry_id, actor)
    return view.decision({**entry_answer(after), "appointment": given_up.answer})


def leave(view: View, command: Leave, actor: Actor, now: datetime) -> Decision:
    """By the customer or the house. What was offered goes to the next."""
    entry = _entry_for(view, command.entry_id, actor, "waitlist.leave")
    # First of all: else the entry would be the first to be offered something of what it gives back.
    view.record(waitlist_id(actor.organization_id), WaitlistLeft(entry_id=entry.id))
    if entry.offer is not None:
        cancel(view, Cancel(appointment_id=entry.offer.appointment_id), actor, now)
    return view.decision(entry_answer(replace(entry, offer=None), "left"))


def end_waiting(view: View, command: EndWaiting, actor: Actor, now: datetime) -> Decision:  # noqa: ARG001
    """Whoever waits for what is past waits no more. An offer that stands is answered first."""
    ensure_may(actor, "waitlist.offer")
    stream_id = waitlist_id(actor.organization_id)
    waitlist = view.get(Waitlist, stream_id)
    over = [entry for entry in waitlist.entries if entry.is_over(now)] if waitlist else []
    for entry in over:
        view.record(stream_id, WaitlistEnded(entry_id=entry.id))
    return view.decision({"ended": len(over)})


def _standing(entry: WaitlistEntry, now: datetime) -> Offer:
    if entry.offer is None:
        raise NothingOffered(entry.id)
    if entry.offer.until <= now:
        raise HoldLapsed(entry.offer.appointment_id, entry.offer.until)
    return entry.offer


def _entry_for(view: View, entry_id: UUID, actor: Actor, operation: str) -> WaitlistEntry:
    """The entry, if the actor may see it at all (else it is not found) and may do this to it."""
    entry = _require(view, entry_id, actor)
    if actor.role is Role.CUSTOMER and entry.customer_id != actor.subject_id:
        raise NotFound("waitlist_entry", entry_id)
    ensure_may(actor, operation, subject_id=entry.customer_id, resource_ids=waits_for(entry))
    return entry


def _require(view: View, entry_id: UUID, actor: Actor) -> WaitlistEntry:
    waitlist = view.get(Waitlist, waitlist_id(actor.organization_id))
    if waitlist is None:
        raise NotFound("waitlist_entry", entry_id)
    return waitlist.require(entry_id)
