"""What a use case sees and what it answers. A use case is a pure function ``(view, command, actor, now)``.

It may be run again at any time: when a stream is not in memory yet, when another process was faster. So it
touches nothing but the view.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, TypeVar
from uuid import UUID

from domain import (
    access,
    account,
    api_key,
    appointment,
    booking_page,
    contact,
    identity_provider,
    location,
    one_time_code,
    organization,
    pool,
    reminder,
    resource,
    resource_day,
    series,
    service,
    session,
    visitor,
    waitlist,
    webhook,
)
from domain.access import AccessNote
from domain.account import Account, Customer, SignInName
from domain.api_key import ApiKey
from domain.appointment import Appointment
from domain.booking_page import BookingPage
from domain.contact import Contact
from domain.fact import Fact
from domain.identity_provider import ExternalIdentity, IdentityProvider
from domain.location import Location
from domain.one_time_code import OneTimeCode
from domain.organization import Directory, Organization
from domain.permissions import Actor
from domain.pool import Pool, PoolTurns
from domain.refusals import AlreadyExists, NotFound, Refusal, VersionMismatch
from domain.reminder import Reminders
from domain.resource import Resource
from domain.resource_day import ResourceDay
from domain.series import Series
from domain.service import Service
from domain.session import Session
from domain.value import value
from domain.visitor import Visitor
from domain.waitlist import Waitlist
from domain.webhook import Webhook, WebhookList

State = (
    Organization
    | Directory
    | Location
    | Account
    | SignInName
    | AccessNote
    | ApiKey
    | OneTimeCode
    | Customer
    | Resource
    | ResourceDay
    | Pool
    | PoolTurns
    | Service
    | Appointment
    | Session
    | BookingPage
    | Contact
    | Series
    | Waitlist
    | Reminders
    | Visitor
    | Webhook
    | WebhookList
    | IdentityProvider
    | ExternalIdentity
)
Owned = (
    Organization
    | Location
    | Account
    | ApiKey
    | Customer
    | Resource
    | Pool
    | Service
    | Appointment
    | Session
    | Series
    | Webhook
    | IdentityProvider
)
"""States that belong to an organization and are known by their id."""

S = TypeVar("S", bound=State)
O = TypeVar("O", bound=Owned)  # noqa: E741

EVOLVE: dict[str, Callable[..., State]] = {
    "organization": organization.evolve,
    "directory": organization.evolve_directory,
    "location": location.evolve,
    "account": account.evolve,
    "sign_in_name": account.evolve_sign_in_name,
    "access": access.evolve,
    "api_key": api_key.evolve,
    "one_time_code": one_time_code.evolve,
    "customer": account.evolve_customer,
    "resource": resource.evolve,
    "resource_day": resource_day.evolve,
    "pool": pool.evolve,
    "pool_turns": pool.evolve_turns,
    "service": service.evolve,
    "appointment": appointment.evolve,
    "session": session.evolve,
    "booking_page": booking_page.evolve,
    "contact": contact.evolve,
    "series": series.evolve,
    "waitlist": waitlist.evolve,
    "reminder": reminder.evolve,
    "webhook": webhook.evolve,
    "webhook_list": webhook.evolve_list,
    "visitor": visitor.evolve,
    "identity_provider": identity_provider.evolve,
    "external_identity": identity_provider.evolve_identity,
}
"""How each kind of stream evolves, by the first word of its facts' topics."""


def evolved(state: State | None, fact: Fact) -> State:
    """The state after ``fact``, whatever kind of stream it is on."""
    return EVOLVE[fact.TOPIC.partition(".")[0]](state, fact)


class NotLoaded(Exception):  # noqa: N818  a request to the writer, not an error
    """The view needs streams that are not in memory; the writer loads them and runs the use case again."""

    def __init__(self, stream_ids: Sequence[UUID]) -> None:
        super().__init__(*stream_ids)
        self.stream_ids = stream_ids


@value(frozen=True, slots=True)
class Stream:
    """A stream as folded so far: version 0 and no state if it does not exist."""

    version: int = 0
    state: State | None = None


class Streams(Protocol):
    """Where a view finds streams; ``None`` for one that is not in memory."""

    def get(self, stream_id: UUID) -> Stream | None: ...


@dataclass(slots=True)
class View:
    """One use case's window on the journal. It remembers which streams were read, and what was recorded.

    A use case of several steps records each step's facts; what it reads next has them folded in.
    """

    streams: Streams
    facts: list[tuple[UUID, Fact]] = field(default_factory=list)
    read: list[UUID] = field(default_factory=list)
    _known: dict[int, Stream] = field(default_factory=dict)
    """What was read, with what was recorded on it, by the number of its id: Python hashes and compares UUIDs in
    Python, and a decision looks so often that it would be a tenth of it."""

    def has_read(self, stream_id: UUID) -> bool:
        return stream_id.int in self._known

    def record(self, stream_id: UUID, fact: Fact) -> None:
        """Make a fact part of the decision, on a stream that was read before."""
        before = self._known[stream_id.int]
        self._known[stream_id.int] = Stream(before.version + 1, evolved(before.state, fact))
        self.facts.append((stream_id, fact))

    def before(self, kind: type[S], stream_id: UUID) -> S | None:
        """The state of a stream that was read, without what this decision has recorded on it."""
        stream = self.streams.get(stream_id)
        assert stream
        return stream.state if isinstance(stream.state, kind) else None

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """What the block records is forgotten if it raises a ``Refusal``, which goes on to the caller."""
        count, before, read = len(self.facts), dict(self._known), len(self.read)
        try:
            yield
        except Refusal:
            # What the block has read counts all the same: the refusal rests on it.
            for stream_id in self.read[read:]:
                before[stream_id.int] = self.streams.get(stream_id) or Stream()
            del self.facts[count:]
            self._known = before
            raise

    def decision(self, answer: object) -> "Decision":
        """All that was recorded, with the answer."""
        return Decision(tuple(self.facts), answer, self._known)

    def get(self, kind: type[S], stream_id: UUID) -> S | None:
        """The stream's state, None if it does not exist. Raises ``NotLoaded``."""
        stream = self._known.get(stream_id.int)
        if stream is None:
            stream = self.streams.get(stream_id)
            if stream is None:
                raise NotLoaded([stream_id])
            self._note(stream_id, stream)
        # A stream of another kind under this id is, for the asker, no such object.
        return stream.state if isinstance(stream.state, kind) else None

    def _note(self, stream_id: UUID, stream: Stream) -> None:
        self.read.append(stream_id)
        self._known[stream_id.int] = stream

    def get_all(self, kind: type[S], stream_ids: Sequence[UUID]) -> list[S | None]:
        """Several at once, so that what is missing is loaded in one round trip."""
        try:
            return [self.get(kind, stream_id) for stream_id in stream_ids]
        except NotLoaded:
            self.prepare(stream_ids)
            raise

    def prepare(self, stream_ids: Sequence[UUID]) -> None:
        """Have streams in memory that may be read in a moment, without reading them. Raises ``NotLoaded``."""
        missing = [one for one in stream_ids if not self.has_read(one) and self.streams.get(one) is None]
        if missing:
            raise NotLoaded(missing)

    def require(self, kind: type[O], stream_id: UUID, actor: Actor) -> O:
        """The object, if it exists in the actor's organization. Raises ``NotFound``, ``NotLoaded``."""
        state = self.get(kind, stream_id)
        if state is None or state.organization_id != actor.organization_id:
            raise NotFound(kind.__name__.lower(), stream_id)
        return state

    def ensure_new(self, kind: type[State], stream_id: UUID) -> None:
        """Raises ``AlreadyExists``: the id was used by an earlier command.

        The ids of new objects are made of their command's. So a stream that is not in memory is presumed not to exist,
        and no round trip is spent on it: the append looks, as at every version that was read.
        """
        if not self.has_read(stream_id):
            self._note(stream_id, self.streams.get(stream_id) or Stream())
        if self.version(stream_id):
            raise AlreadyExists(kind.__name__.lower(), stream_id)

    def version(self, stream_id: UUID) -> int:
        """The version of a stream that was read before, with what was recorded on it."""
        return self._known[stream_id.int].version

    def ensure_version(self, stream_id: UUID, expected: int | None) -> None:
        """Raises ``VersionMismatch`` unless the client saw the present version; None: it did not say."""
        current = self.version(stream_id)
        if expected is not None and expected != current:
            raise VersionMismatch(stream_id, expected, current)


@value(frozen=True, slots=True)
class Decision:
    """Facts by stream, in order, and the answer: plain values, no personal data.

    ``after``: the streams as they are with these facts, by the numbers of their ids, where the use case has folded them
    already.
    """

    facts: Sequence[tuple[UUID, Fact]]
    answer: object
    after: Mapping[int, Stream] = field(default_factory=dict)


C = TypeVar("C")

UseCase = Callable[[View, C, Actor, datetime], Decision]
