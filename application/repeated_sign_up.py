"""Signing up with an address that has an account already: nothing comes of it, and whoever tries is not told so.

Else anyone could find out who is a customer here. The answer is that of a sign-up; the owner of the address is written
to instead, at most once a day, and the auditors of their organization see every attempt.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid5

from application.accounts import RegisterAsCustomer, RegisterOrganization, answer_to_sign_up
from application.decision import Decision, View
from domain.access import AccessNote, SignUpRepeated
from domain.permissions import Actor


@dataclass(frozen=True, slots=True, kw_only=True)
class RepeatedSignUp:
    """``wanted`` was refused, since the address signs in to an account. ``note_id``: for the stream of the note."""

    wanted: RegisterOrganization | RegisterAsCustomer
    note_id: UUID


def note_repeated_sign_up(view: View, command: RepeatedSignUp, actor: Actor, now: datetime) -> Decision:
    """The actor is the account that exists."""
    first_today = uuid5(actor.account_id, f"sign-up repeated {now.date().isoformat()}")
    told = view.get(AccessNote, first_today) is None
    note_id = first_today if told else command.note_id
    if not told:
        view.ensure_new(AccessNote, note_id)
    view.record(note_id, SignUpRepeated(account_id=actor.account_id, told=told))
    return view.decision(answer_to_sign_up(command.wanted))
