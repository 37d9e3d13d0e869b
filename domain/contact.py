"""An e-mail address or a number that visitors without an account give, known here by a keyed digest alone."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, assert_never
from uuid import UUID

from domain.fact import Fact, fact

VISITS_REMEMBERED: Final = 60
"""The latest. Who has lapsed holds enough to push a booking out of them has waited for many hours."""


@fact("contact.used.v1")
class ContactUsed(Fact):
    """A visitor has held a start and gave this contact. The stream's id is its keyed digest, in one organization."""

    contact_id: UUID
    appointment_id: UUID
    visit_ends: datetime
    at: datetime


ContactFact = ContactUsed


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """``visits``: when each ends that was to come when the contact was used last."""

    id: UUID
    visits: Mapping[UUID, datetime] = field(default_factory=dict)


def evolve(state: Contact | None, happened: ContactFact) -> Contact:
    match happened:
        case ContactUsed():
            before = state.visits if state else {}
            to_come = [(visit, ends) for visit, ends in before.items() if ends > happened.at]
            latest = [*to_come, (happened.appointment_id, happened.visit_ends)][-VISITS_REMEMBERED:]
            return Contact(id=happened.contact_id, visits=dict(latest))
        case _:
            assert_never(happened)
