"""Booking without an account: anyone may hold a start of a public service, and has it who proves the contact given.

What a code or a link is made of is no matter of decisions: the API looks at it first, and comes with its id.
"""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid5

from application.booking import Book, book
from application.decision import Decision, View
from application.hoarding import hold_under_contact
from application.notifying import Channel
from application.one_time_codes import code_requested
from application.visits import Confirm, confirm, visit_decision, visit_for
from domain.account import Customer, CustomerRegistered, Role
from domain.appointment import Appointment, Status
from domain.lifecycle import confirm as judge_confirmation
from domain.lifecycle import is_movable
from domain.one_time_code import Purpose
from domain.permissions import Actor, ensure_may
from domain.refusals import NotFound, NotInThatState
from domain.service import Service
from domain.visitor import (
    VISITOR_HOLD_MIN,
    Visitor,
    VisitorCodeRequested,
    VisitorContactVerified,
    VisitorLinkIssued,
    visitor_id,
)

CONTACTS = UUID("c1b4e6a2-6f0d-4c61-8a7e-2f1d9b3a5e70")
"""The namespace of the ids of contacts."""


class CodeUnderWay(Exception):  # noqa: N818
    """A code was sent less than a minute ago, or too many wrong ones were tried: wait, then ask for another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BookAsVisitor:
    """``contact_id``: a keyed digest of the e-mail address or number, by which one contact's bookings can be told."""

    appointment_id: UUID
    service_id: UUID
    customer_id: UUID
    start: datetime
    contact_id: UUID
    code_id: UUID
    channel: Channel


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestCode:
    appointment_id: UUID
    code_id: UUID
    channel: Channel


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmAsVisitor:
    """The code was right."""

    appointment_id: UUID
    link_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueLink:
    """The code was right, and the link that was sent before is lost."""

    appointment_id: UUID
    link_id: UUID


def contact_id(secret: bytes, organization_id: UUID, contact: str) -> UUID:
    """One e-mail address or number at one house, by a keyed digest: so its bookings can be counted without being told.

    Of another house it is another id: they share no stream, and cannot tell whom they have in common.
    """
    said = b"contact/" + organization_id.bytes + b"/" + contact.strip().casefold().encode()
    digest = hmac.new(secret, said, hashlib.sha256)
    return uuid5(CONTACTS, digest.hexdigest())


def visitor_of(organization_id: UUID, customer_id: UUID) -> Actor:
    """Nobody signs in as a visitor: the journal names the customer that the visitor becomes."""
    return Actor(account_id=customer_id, organization_id=organization_id, subject_id=customer_id, role=Role.VISITOR)


def book_as_visitor(view: View, command: BookAsVisitor, actor: Actor, now: datetime) -> Decision:
    """A hold, for a new customer: until the contact is proved, nothing must be told of what else is booked under it.

    But that there is no room for more. Raises ``TooManyOpen``.
    """
    ensure_may(actor, "appointment.book_public", subject_id=command.customer_id)
    view.prepare([command.service_id, command.contact_id])
    service = view.require(Service, command.service_id, actor)
    if not service.terms.public:
        raise NotFound("service", command.service_id)
    view.ensure_new(Customer, command.customer_id)
    registered = CustomerRegistered(
        customer_id=command.customer_id, organization_id=actor.organization_id, account_id=None
    )
    view.record(command.customer_id, registered)
    wanted = Book(
        appointment_id=command.appointment_id,
        service_id=command.service_id,
        customer_id=command.customer_id,
        start=command.start,
        hold_min=VISITOR_HOLD_MIN,
    )
    book(view, wanted, actor, now)
    visit = view.get(Appointment, command.appointment_id)
    assert visit
    hold_under_contact(view, command.contact_id, visit, actor, now)
    view.ensure_new(Visitor, visitor_id(command.appointment_id))
    _request_code(view, command.appointment_id, command.customer_id, command)
    return visit_decision(view, command.appointment_id)


def request_code(view: View, command: RequestCode, actor: Actor, now: datetime) -> Decision:
    """Another code: for the hold, or for a new link to the visit that came of it."""
    visit, visitor = _visit_and_visitor(view, command.appointment_id, actor)
    ensure_awaits_code(visit, now=now)
    visitor.ensure_may_ask()
    _request_code(view, visit.id, visitor.customer_id, command)
    return visit_decision(view, visit.id)


def confirm_as_visitor(view: View, command: ConfirmAsVisitor, actor: Actor, now: datetime) -> Decision:
    visit, _ = _visit_and_visitor(view, command.appointment_id, actor)
    confirm(view, Confirm(appointment_id=visit.id), actor, now)
    view.record(visitor_id(visit.id), VisitorContactVerified(appointment_id=visit.id))
    _issue_link(view, visit.id, command.link_id)
    return visit_decision(view, visit.id)


def issue_link(view: View, command: IssueLink, actor: Actor, now: datetime) -> Decision:  # noqa: ARG001
    """The link before it is over with that."""
    visit, visitor = _visit_and_visitor(view, command.appointment_id, actor)
    if not visitor.is_verified:
        raise NotInThatState(visit.id, visit.status, "issue-link")
    _issue_link(view, visit.id, command.link_id)
    return visit_decision(view, visit.id)


def ensure_awaits_confirmation(visit: Appointment, *, now: datetime) -> None:
    """Raises ``NotInThatState``, ``HoldLapsed``."""
    judge_confirmation(visit, now=now)


def ensure_awaits_code(visit: Appointment, *, now: datetime) -> None:
    """Raises ``HoldLapsed``, ``NotInThatState``: there is nothing (any more) that a code would be good for."""
    if visit.status is Status.HELD:
        judge_confirmation(visit, now=now)
    elif not is_movable(visit, now=now) or now >= visit.visit.end:
        raise NotInThatState(visit.id, visit.status, "code")


def _visit_and_visitor(view: View, appointment_id: UUID, actor: Actor) -> tuple[Appointment, Visitor]:
    """Raises ``NotFound`` for a visit that was booked otherwise, too."""
    visit = visit_for(view, appointment_id, actor, "appointment.prove_contact")
    visitor = view.get(Visitor, visitor_id(appointment_id))
    if visitor is None:
        raise NotFound("appointment", appointment_id)
    return visit, visitor


def _request_code(view: View, appointment_id: UUID, customer_id: UUID, command: BookAsVisitor | RequestCode) -> None:
    requested = VisitorCodeRequested(appointment_id=appointment_id, customer_id=customer_id, code_id=command.code_id)
    view.record(visitor_id(appointment_id), requested)
    sent = code_requested(
        view,
        command.code_id,
        Purpose.VISIT,
        appointment_id,
        recipient_id=customer_id,
        channel=command.channel,
    )
    view.record(*sent)


def _issue_link(view: View, appointment_id: UUID, link_id: UUID) -> None:
    view.record(visitor_id(appointment_id), VisitorLinkIssued(appointment_id=appointment_id, link_id=link_id))
