"""Which facts give reason to write to a customer, and under which ids messages are known. Pure.

What a message says, and whether there still is anything to say, is in ``application.news``.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID, uuid5

from application.journal import Recorded
from application.vault import Person
from domain.access import SignUpRepeated
from domain.appointment import (
    AppointmentApproved,
    AppointmentBooked,
    AppointmentCancelled,
    AppointmentConfirmed,
    AppointmentHeld,
    AppointmentHoldLapsed,
    AppointmentRequested,
    AppointmentRescheduled,
)
from domain.fact import Fact
from domain.one_time_code import CodeRequested
from domain.reminder import ReminderDue
from domain.series import SeriesBegun, SeriesCancelled, SeriesRescheduled

MESSAGE_AGE_MAX = timedelta(hours=24)
"""Older news is not sent: a ledger that was lost or a feed that was replayed must not wake everyone up."""


class Template(StrEnum):
    CONFIRMATION = "confirmation"
    CHANGE = "change"
    CANCELLATION = "cancellation"
    REMINDER = "reminder"
    REQUEST = "request"
    """It was asked for, and the house has to approve it."""
    REQUEST_CANCELLED = "request_cancelled"
    """By the house that declines it, or by whoever asked: the words are the same."""
    REQUEST_LAPSED = "request_lapsed"
    OFFER = "offer"
    """To someone on the waitlist."""
    OFFER_LAPSED = "offer_lapsed"
    SERIES = "series"
    SERIES_CHANGE = "series_change"
    SERIES_CANCELLATION = "series_cancellation"
    VERIFY_EMAIL = "verify_email"
    RESET_PASSWORD = "reset_password"  # noqa: S105  what it is about
    SIGN_UP_REPEATED = "sign_up_repeated"
    """To whom an address belongs that someone has tried to sign up with."""
    VISIT_CODE = "visit_code"
    """To someone without an account, to show that the contact is theirs."""


class Channel(StrEnum):
    EMAIL = "email"
    SMS = "sms"
    PUSH = "push"


class Moot(StrEnum):
    """Why a message is not sent after all; the ledger's ``reason``."""

    CANCELLED_SINCE = "cancelled_since"
    MOVED_SINCE = "moved_since"
    ANSWERED_SINCE = "answered_since"
    DEADLINE_PASSED = "deadline_passed"
    VISIT_BEGAN = "visit_began"
    TOO_OLD = "too_old"
    CODE_OVER = "code_over"
    """The code was used, replaced or is over: it would only mislead."""
    UNFOUNDED = "unfounded"
    """The journal has no such fact: it was restored to an earlier state than the ledger."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A fact that may be a reason to write: ``version`` of stream ``stream_id``, at ``position``.

    ``about_id`` is the appointment or the series that it tells of, or the account that a code is about. The fact of a
    reminder or a code is on a stream of its own.
    """

    position: int
    organization_id: UUID
    about_id: UUID
    stream_id: UUID
    version: int
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One message to one recipient over one channel. ``attempt`` counts the calls of the provider, from 1."""

    id: UUID
    notice: Notice
    template: Template
    channel: Channel
    recipient_id: UUID
    attempt: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """What a message may speak of. Instants are in the zone in which the visits take place.

    ``starts`` are those of all visits that it is about, earliest first: of a series several. ``until`` is the deadline
    of an offer. ``is_requested``: the house has not approved (all of) it yet.
    """

    organization_name: str
    service_name: str
    starts: tuple[datetime, ...]
    ends_at: datetime
    previously_at: datetime | None
    until: datetime | None
    seats: int
    is_requested: bool
    location_name: str | None
    address: str | None
    with_names: tuple[str, ...]
    customer_name: str | None
    reference: str
    manage_url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterOccasion:
    """What a message may speak of that is about no visit. ``link`` holds the code, where it is one to be followed."""

    organization_name: str
    customer_name: str | None
    code: str | None
    link: str | None
    reference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """A rendered message; ``subject`` is one line (of a push: its title), ``html`` only for e-mail."""

    subject: str
    text: str
    html: str | None = None


def notice_of(recorded: Recorded) -> Notice | None:
    """The notice that a fact gives rise to, None for most."""
    about_id = _about(recorded.fact)
    if about_id is None:
        return None
    return Notice(
        position=recorded.position,
        organization_id=recorded.provenance.organization_id,
        about_id=about_id,
        stream_id=recorded.stream_id,
        version=recorded.version,
        at=recorded.provenance.at,
    )


def _about(fact: Fact) -> UUID | None:
    """A series is told once, not visit by visit. A plain hold is silent: whoever holds a slot sits in front of it."""
    match fact:
        case AppointmentBooked(appointment_id=its_id) | AppointmentRequested(appointment_id=its_id):
            return its_id if fact.occurrence is None else None
        case AppointmentHeld(appointment_id=its_id):
            return its_id if fact.entry_id is not None else None
        case AppointmentRescheduled(appointment_id=its_id) | AppointmentCancelled(appointment_id=its_id):
            return its_id if fact.series_id is None else None
        case (
            AppointmentConfirmed(appointment_id=its_id)
            | AppointmentApproved(appointment_id=its_id)
            | AppointmentHoldLapsed(appointment_id=its_id)
            | ReminderDue(appointment_id=its_id)
            | SeriesBegun(series_id=its_id)
            | SeriesRescheduled(series_id=its_id)
            | SeriesCancelled(series_id=its_id)
            | CodeRequested(key=its_id)
        ):
            return its_id
        case SignUpRepeated(account_id=its_id):
            return its_id if fact.told else None
        case _:
            return None


def deliveries_of(
    notice: Notice, template: Template, customer_id: UUID, person: Person | None, only: Channel | None = None
) -> list[Delivery]:
    """One message for each way in which the customer can be reached; or by that one alone, whatever the vault says."""
    return [
        Delivery(
            id=delivery_id(notice, template, channel, customer_id),
            notice=notice,
            template=template,
            channel=channel,
            recipient_id=customer_id,
        )
        for channel in Channel
        if (person is not None and address_of(person, channel) and only is None) or channel is only
    ]


def delivery_id(notice: Notice, template: Template, channel: Channel, recipient_id: UUID) -> UUID:
    """The id under which the ledger and the provider know a message: the same however often it is derived."""
    return uuid5(notice.about_id, f"{notice.position}/{template}/{channel}/{recipient_id}")


def reference_of(message_id: UUID) -> str:
    """Ten characters of a message's id, written into an SMS: the only trace of ours that Twilio lists."""
    return f"{message_id.hex[:5]}-{message_id.hex[5:10]}".upper()


def address_of(person: Person, channel: Channel) -> str | None:
    return {Channel.EMAIL: person.email, Channel.SMS: person.phone, Channel.PUSH: person.push_token}[channel]
