"""Nobody who books for themselves has more open than the house's terms allow.

Of a customer it is counted on their booking pages, which the decision reads with all others in one round trip. Of a
contact that visitors give, who are a new customer each time, on a stream of its own.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID
from zoneinfo import ZoneInfo

from application.decision import View
from domain.account import Role
from domain.appointment import Appointment
from domain.booking_page import BookingPage, booking_page_id
from domain.contact import Contact, ContactUsed
from domain.organization import Organization
from domain.permissions import Actor
from domain.self_service import ensure_contact_has_room, ensure_page_has_room, months_counted
from domain.service import Service
from domain.wall_clock import A_DAY


class Wished(Protocol):
    """As much of a wish as matters here."""

    @property
    def appointment_id(self) -> UUID: ...
    @property
    def service(self) -> Service: ...
    @property
    def customer_id(self) -> UUID: ...
    @property
    def is_hold(self) -> bool: ...
    @property
    def entry_id(self) -> UUID | None: ...


def pages_counted(view: View, wish: Wished, actor: Actor, now: datetime) -> list[UUID]:
    """The stream ids of the pages that ``ensure_not_hoarding`` will read.

    None for an offer: it is the house that makes it, whoever gave the time back.
    """
    if actor.role is not Role.CUSTOMER or wish.entry_id is not None:
        return []
    zone = ZoneInfo(view.require(Organization, actor.organization_id, actor).time_zone)
    horizon = wish.service.terms.max_advance_days * A_DAY
    return [booking_page_id(wish.customer_id, month) for month in months_counted(now, horizon, zone)]


def ensure_not_hoarding(view: View, wish: Wished, actor: Actor, now: datetime) -> None:
    """Raises ``TooManyOpen`` if a customer acts for themselves and would have more open than they may."""
    page_ids = pages_counted(view, wish, actor, now)
    if not page_ids:
        return
    terms = view.require(Organization, actor.organization_id, actor).self_service
    pages = [page for page in view.get_all(BookingPage, page_ids) if page]
    ensure_page_has_room(terms, pages, wish.appointment_id, is_hold=wish.is_hold, now=now)


def hold_under_contact(view: View, contact_id: UUID, visit: Appointment, actor: Actor, now: datetime) -> None:
    """Record that a visitor has used a contact for a hold. Raises ``TooManyOpen`` where it has enough of them open.

    The visits are asked how they are today: one that was cancelled or has lapsed counts no more.
    """
    terms = view.require(Organization, actor.organization_id, actor).self_service
    contact = view.get(Contact, contact_id)
    used: Sequence[UUID] = tuple(contact.visits) if contact else ()
    others = [one for one in used if one != visit.id]
    ensure_contact_has_room(terms, view.get_all(Appointment, others), now=now)
    used_again = ContactUsed(contact_id=contact_id, appointment_id=visit.id, visit_ends=visit.visit.end, at=now)
    view.record(contact_id, used_again)
