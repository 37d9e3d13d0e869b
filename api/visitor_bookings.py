"""Booking without an account: a hold, a code to the contact, and with the code the visit and the link to it.

Whoever only knows an id can do nothing with it: what counts is the code, and later the link.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Self
from uuid import UUID

from fastapi import APIRouter
from pydantic import ConfigDict, StringConstraints, model_validator
from starlette.responses import Response

from api.alternatives import ANOTHER_START_MAY_DO, with_what_is_read
from api.commanding import AnonymouslyCommanded, Call
from api.contract import command
from api.notes import folded
from api.operation import Operation
from api.people import newcomer
from api.ports import Ports
from api.reading import state_of
from api.values import Body, Email, FreeText, Instant, Locale, Name, Nothing, Phone
from api.visitor_shapes import CodeSentShape, HeldVisitShape, OwnVisitShape, told
from application.decision import UseCase
from application.forgetting import LOOKED_AFTER_FOR
from application.manage_links import ManageLink, Unproved
from application.notifying import Channel
from application.one_time_codes import AGAIN_AFTER, LIFETIME_MAX, Form
from application.vault import Person
from application.visiting import (
    BookAsVisitor,
    CodeUnderWay,
    ConfirmAsVisitor,
    IssueLink,
    RequestCode,
    book_as_visitor,
    confirm_as_visitor,
    contact_id,
    ensure_awaits_code,
    ensure_awaits_confirmation,
    issue_link,
    request_code,
    visitor_of,
)
from domain.account_refusals import CodeRefused
from domain.appointment import Appointment
from domain.one_time_code import Purpose
from domain.refusals import NotFound
from domain.service import Service
from domain.visitor import Visitor, visitor_id
from domain.wall_clock import MINUTE

router = APIRouter(prefix="/v1/public", tags=["public"], route_class=Operation)

Digits = Annotated[str, StringConstraints(strip_whitespace=True, min_length=4, max_length=20, pattern=r"^[0-9 ]+$")]


class Contact(Body):
    """Who comes, and one way to reach them: the code goes there, and all news of the visit."""

    display_name: Name
    email: Email | None = None
    phone: Phone | None = None
    locale: Locale | None = None

    @model_validator(mode="after")
    def _is_reached_in_one_way(self) -> Self:
        if (self.email is None) == (self.phone is None):
            raise ValueError("either an email or a phone")
        return self


class VisitorBooking(Body):
    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "service_id": "3b1c8f0a-8a2f-4f0e-b6a4-5d2f6f1b0a11",
                "start": "2027-03-01T09:00:00+01:00",
                "contact": {"display_name": "Ana Souza", "email": "ana@example.com", "locale": "pt-BR"},
                "notes": "It is about the left knee",
            }
        }
    )

    service_id: UUID
    start: Instant
    contact: Contact
    notes: FreeText | None = None


class Code(Body):
    """As it was sent; blanks do not matter."""

    model_config = ConfigDict(json_schema_extra={"example": {"code": "4018 3726"}})

    code: Digits


@router.post(
    "/{organization_id}/appointments",
    **command(HeldVisitShape, "bookAsVisitor", "appointment.book_public", by="anyone", creates=True, problems=(404,)),
)
async def book(organization_id: UUID, body: VisitorBooking, call: AnonymouslyCommanded) -> Response:
    """Hold a start for a quarter of an hour. The code that makes a booking of it is sent to the contact.

    Unless it is confirmed, the hold lapses and the person is forgotten.
    """
    customer_id, person = call.new_subject_id("customer"), Person(**body.contact.model_dump())
    wanted = BookAsVisitor(
        appointment_id=call.new_id("appointment"),
        service_id=body.service_id,
        customer_id=customer_id,
        start=body.start,
        contact_id=contact_id(call.ports.door.secret, organization_id, person.email or person.phone or ""),
        code_id=call.new_id("code"),
        channel=_channel(person),
    )
    call = call.by(visitor_of(organization_id, customer_id))
    ports = call.ports
    await _ensure_public(ports, organization_id, body.service_id)
    unproved = Unproved(organization_id=organization_id, customer_id=customer_id, appointment_id=wanted.appointment_id)
    await ports.unproved.remember(unproved, ports.clock.now() + LOOKED_AFTER_FOR)
    try:
        async with newcomer(call, organization_id, customer_id, person, stream_id=customer_id) as is_new:
            if is_new:
                await _prepare(call, wanted, body.notes)
            answer = await call.submit(book_as_visitor, wanted)
    except ANOTHER_START_MAY_DO as refusal:
        raise await with_what_is_read(call, refusal, body.service_id, wanted, 1) from None
    return told(answer, status=201, location="/v1/public/visit")


@router.post(
    "/appointments/{appointment_id}/codes",
    **command(CodeSentShape, "requestVisitorCode", "appointment.prove_contact", by="anyone", problems=(404,)),
)
async def send_code(appointment_id: UUID, call: AnonymouslyCommanded, _: Nothing | None = None) -> Response:
    """Another code, to the same contact: the first did not arrive, or the link to the visit is lost."""
    known = await _known(call, appointment_id)
    visit = known.visit
    person = await call.ports.vault.person(visit.organization_id, visit.customer_id)
    if person is None:
        raise NotFound("appointment", appointment_id)
    wanted = RequestCode(appointment_id=visit.id, code_id=call.new_id("code"), channel=_channel(person))
    if not known.is_done:
        # Judged before as well: a code that is good must not give way to one that is never sent.
        ensure_awaits_code(visit, now=call.ports.clock.now())
        known.visitor.ensure_may_ask()
        await _issue_code(call, visit.organization_id, visit.id, wanted.code_id)
    answer = await call.submit(request_code, wanted, actor=visitor_of(visit.organization_id, visit.customer_id))
    return told(answer, fields={"id"}, besides={"lasts_min": LIFETIME_MAX // MINUTE})


@router.post(
    "/appointments/{appointment_id}/confirm",
    **command(OwnVisitShape, "confirmAsVisitor", "appointment.prove_contact", by="anyone", problems=(404,)),
)
async def confirm(appointment_id: UUID, body: Code, call: AnonymouslyCommanded) -> Response:
    """With the code, the hold becomes a booking, or a request where the service asks for approval."""
    known, link = await _known(call, appointment_id), _new_link(call, appointment_id)
    token = await _token(call, known, link, body.code, ensure_awaits_confirmation)
    wanted = ConfirmAsVisitor(appointment_id=appointment_id, link_id=link)
    return await _with_link(call, known, confirm_as_visitor, wanted, token)


@router.post(
    "/appointments/{appointment_id}/link",
    **command(OwnVisitShape, "issueManageLink", "appointment.prove_contact", by="anyone", problems=(404,)),
)
async def issue_another_link(appointment_id: UUID, body: Code, call: AnonymouslyCommanded) -> Response:
    """With the code, another link to a visit that is booked. The one before is over with that."""
    known, link = await _known(call, appointment_id), _new_link(call, appointment_id)
    token = await _token(call, known, link, body.code, ensure_awaits_code)
    wanted = IssueLink(appointment_id=appointment_id, link_id=link)
    return await _with_link(call, known, issue_link, wanted, token)


@dataclass(frozen=True, slots=True)
class _Known:
    """A visit that was booked without an account. ``is_done``: by this very command, before."""

    visit: Appointment
    visitor: Visitor
    is_done: bool


async def _known(call: Call, appointment_id: UUID) -> _Known:
    """Raises ``NotFound``, also for a visit that was booked otherwise."""
    beside = visitor_id(appointment_id)
    streams = await call.ports.journal.load([appointment_id, beside])
    visit, visitor = folded(streams[appointment_id]), folded(streams[beside])
    if not isinstance(visit, Appointment) or not isinstance(visitor, Visitor):
        raise NotFound("appointment", appointment_id)
    is_done = any(one.provenance.command_id == call.command_id for one in streams[beside])
    return _Known(visit, visitor, is_done)


async def _ensure_public(ports: Ports, organization_id: UUID, service_id: UUID) -> None:
    """Before anything is stored for the sake of a booking that cannot be. Raises ``NotFound``."""
    service, _ = await state_of(ports, Service, service_id)
    if service is None or service.organization_id != organization_id or not service.terms.public:
        raise NotFound("service", service_id)


async def _prepare(call: Call, wanted: BookAsVisitor, notes: str | None) -> None:
    """What the decision cannot keep: the text, and the code."""
    organization_id, customer_id = call.actor.organization_id, wanted.customer_id
    if notes is not None:
        await call.ports.vault.write_note(organization_id, customer_id, call.command_id, notes)
    await _issue_code(call, organization_id, wanted.appointment_id, wanted.code_id)


async def _issue_code(call: Call, organization_id: UUID, appointment_id: UUID, code_id: UUID) -> None:
    """Raises ``CodeUnderWay``."""
    is_issued = await call.ports.codes.issue(
        Purpose.VISIT,
        appointment_id,
        code_id=code_id,
        organization_id=organization_id,
        form=Form.DIGITS,
        again_after=AGAIN_AFTER,
    )
    if not is_issued:
        raise CodeUnderWay


def _new_link(call: Call, appointment_id: UUID) -> UUID:
    """Of this very request, with the code in it: who comes with the same key and another code has another link."""
    return call.new_subject_id(f"link {appointment_id}")


async def _token(call: Call, known: _Known, link_id: UUID, code: str, ensure: Callable[..., None]) -> str | None:
    """The link's token, for whoever knows the code. None if the link was sent already.

    Raises ``CodeRefused``, and what ``ensure`` has against it: a code is not used up for what cannot be.
    """
    visit, links = known.visit, call.ports.manage_links
    link = ManageLink(
        id=link_id,
        organization_id=visit.organization_id,
        appointment_id=visit.id,
        customer_id=visit.customer_id,
    )
    token = await links.unsent(link)
    if token is not None or known.is_done:
        return token  # the code was right before: the answer was lost, or whoever was about to give it
    ensure(visit, now=call.ports.clock.now())
    if not await call.ports.codes.redeem(Purpose.VISIT, visit.id, code):
        raise CodeRefused
    return await links.issue(link)


async def _with_link(call: Call, known: _Known, use_case: UseCase[Any], wanted: object, token: str | None) -> Response:
    actor = visitor_of(known.visit.organization_id, known.visit.customer_id)
    answer = await call.submit(use_case, wanted, actor=actor)
    return told(answer, besides={"link_token": token} if token else None)


def _channel(person: Person) -> Channel:
    return Channel.EMAIL if person.email is not None else Channel.SMS
