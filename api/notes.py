"""Free text goes to the vault, under the id of the command that it came with: so the fact that it belongs to names it.

It is stored before the command is decided, since an answer must not be an error once the command took effect.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple
from uuid import UUID, uuid5

from api.commanding import Call
from api.ports import Ports
from application.decision import evolved
from application.journal import Recorded
from domain.account import Customer, Role
from domain.appointment import Appointment
from domain.permissions import Actor, Reach, reach
from domain.resource import Resource
from domain.series import Series


class Written(NamedTuple):
    """Free text by the position of the fact that it came with; ``reasons``: why the house broke its rules."""

    notes: Mapping[int, str]
    reasons: Mapping[int, str]


async def keep_visit_note(
    call: Call, text: str, operation: str, *, appointment_id: UUID, customer_id: UUID | None = None
) -> None:
    """Notes of a visit, or why it was cancelled; ``customer_id`` where the visit does not exist yet."""
    await _keep_of_visit(call, text, operation, call.command_id, appointment_id, customer_id)


async def keep_series_note(
    call: Call, text: str, operation: str, *, series_id: UUID, customer_id: UUID | None = None
) -> None:
    """Notes of all visits of a series, or why they were cancelled: shown with each of them."""
    await _keep_of_visit(call, text, operation, call.command_id, series_id, customer_id)


async def keep_override_reason(call: Call, text: str, *, appointment_id: UUID, customer_id: UUID | None = None) -> None:
    """Why staff break rules with this command. It may come with a note, so it has an id of its own."""
    note_id = _reason_id(call.command_id)
    await _keep_of_visit(call, text, "appointment.override", note_id, appointment_id, customer_id)


def _reason_id(command_id: UUID) -> UUID:
    return uuid5(command_id, "override")


async def _keep_of_visit(
    call: Call, text: str, operation: str, note_id: UUID, appointment_id: UUID, customer_id: UUID | None
) -> None:
    if reach(call.actor, operation) is Reach.NONE:
        return  # the command will be refused
    streams = await call.ports.journal.load([appointment_id, *([customer_id] if customer_id else [])])
    visit = folded(streams[appointment_id])
    known = visit if customer_id is None else folded(streams[customer_id])
    if not isinstance(known, Appointment | Series | Customer) or known.organization_id != call.actor.organization_id:
        return
    subject_id = known.id if isinstance(known, Customer) else known.customer_id
    if call.actor.role is Role.CUSTOMER and subject_id != call.actor.subject_id:
        return
    await _keep(call, subject_id, text, note_id, streams[appointment_id])


async def keep_resource_note(call: Call, text: str, *, resource_id: UUID) -> None:
    """Why a resource is closed: about a person, as often as not."""
    recorded = (await call.ports.journal.load([resource_id]))[resource_id]
    resource = folded(recorded)
    if isinstance(resource, Resource) and resource.organization_id == call.actor.organization_id:
        await _keep(call, resource.id, text, call.command_id, recorded)


async def _keep(call: Call, subject_id: UUID, text: str, note_id: UUID, recorded: Sequence[Recorded]) -> None:
    # Done before, under this key: whatever is sent with the key now, the note of then stays.
    if all(one.provenance.command_id != call.command_id for one in recorded):
        await call.ports.vault.write_note(call.actor.organization_id, subject_id, note_id, text)


async def notes_of(ports: Ports, actor: Actor, subject_id: UUID, recorded: Sequence[Recorded]) -> Mapping[int, str]:
    """The notes that came with these facts, by position. Customers see those that they wrote themselves."""
    return (await written_with(ports, actor, subject_id, recorded)).notes


async def written_with(ports: Ports, actor: Actor, subject_id: UUID, recorded: Sequence[Recorded]) -> Written:
    """What was written with these facts. Customers see what they wrote themselves."""
    kept = await ports.vault.notes(actor.organization_id, subject_id)
    notes: dict[int, str] = {}
    reasons: dict[int, str] = {}
    for one in recorded:
        if actor.role is Role.CUSTOMER and one.provenance.actor_id != actor.account_id:
            continue
        command_id = one.provenance.command_id
        if command_id in kept:
            notes[one.position] = kept[command_id]
        if _reason_id(command_id) in kept:
            reasons[one.position] = kept[_reason_id(command_id)]
    return Written(notes, reasons)


def folded(recorded: Sequence[Recorded]) -> object:
    """What the facts add up to; None if there are none."""
    state = None
    for one in recorded:
        state = evolved(state, one.fact)
    return state
