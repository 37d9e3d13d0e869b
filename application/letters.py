"""Messages to a person about what signs in: codes, and word of what others tried with an address. Pure.

A code is opened only here, when its message is about to be sent; one that was used, replaced or is over is not sent.
Links lead to the configured public address and to no other: what a request says of hosts comes nowhere near.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from application.decision import State
from application.news import Streams, fact_of
from application.notifying import Channel, Delivery, LetterOccasion, Moot, Template, address_of, reference_of
from application.one_time_codes import Enclosed
from application.vault import Person
from domain.one_time_code import CodeRequested, Purpose
from domain.organization import Organization

LETTERS = frozenset({Template.VERIFY_EMAIL, Template.RESET_PASSWORD, Template.SIGN_UP_REPEATED, Template.VISIT_CODE})
"""All other messages tell of visits."""
PAGES: Mapping[Purpose, str] = {
    Purpose.VERIFY_EMAIL: "/account#verify-email=",
    Purpose.RESET_PASSWORD: "/account#reset-password=",
}
"""Where the links of a purpose lead. Behind the # it is sent to no server by itself, and so is in nobody's logs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """What there is to say now. ``purpose`` and ``enclosed`` of a code."""

    organization_id: UUID
    purpose: Purpose | None = None
    enclosed: Enclosed | None = None


def code_ids(deliveries: Iterable[Delivery]) -> list[UUID]:
    """Of the codes that some of the messages may carry."""
    return [delivery.notice.stream_id for delivery in deliveries if delivery.template in LETTERS]


def letter_of(delivery: Delivery, streams: Streams, enclosed: Mapping[UUID, Enclosed]) -> Letter | Moot:
    """``enclosed``: of the codes that are still good."""
    notice, fact = delivery.notice, fact_of(delivery.notice, streams)
    if fact is None:
        return Moot.UNFOUNDED
    if not isinstance(fact, CodeRequested):
        return Letter(organization_id=notice.organization_id)
    code = enclosed.get(fact.code_id)
    if code is None:
        return Moot.CODE_OVER
    return Letter(organization_id=notice.organization_id, purpose=fact.purpose, enclosed=code)


def addressed(letter: Letter, person: Person | None, channel: Channel) -> str | None:
    """Where a code proves an address, to that one, whatever the vault says by now."""
    if letter.enclosed and letter.enclosed.to:
        return letter.enclosed.to
    return address_of(person, channel) if person else None


def letter_occasion(
    delivery: Delivery,
    letter: Letter,
    states: Mapping[UUID, State | None],
    person: Person | None,
    *,
    public_url: str,
) -> LetterOccasion:
    organization = states.get(letter.organization_id)
    code = letter.enclosed.code if letter.enclosed else None
    page = PAGES.get(letter.purpose) if letter.purpose else None
    return LetterOccasion(
        organization_name=organization.name if isinstance(organization, Organization) else "",
        customer_name=person.display_name if person else None,
        code=code,
        link=f"{public_url.rstrip('/')}{page}{code}" if code and page else None,
        reference=reference_of(delivery.id),
    )
