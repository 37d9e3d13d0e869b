"""What a folded stream takes in memory, by its kind and the length of its lists. Asked at every append, so it guesses.

A walk over all objects would cost more than the decision. The figures were measured with ``tracemalloc``, as the tests
do again, on streams as they are loaded: those that were decided here share some objects with others, and take less.
"""

from collections.abc import Callable, Collection
from operator import attrgetter
from typing import Any

from application.decision import State, Stream
from domain.access import AccessNote
from domain.account import Account, Customer, SignInName
from domain.api_key import ApiKey
from domain.appointment import Appointment
from domain.booking_page import BookingPage
from domain.contact import Contact
from domain.identity_provider import ExternalIdentity, IdentityProvider
from domain.location import Location
from domain.one_time_code import OneTimeCode
from domain.organization import Directory, Organization
from domain.pool import Pool, PoolTurns
from domain.reminder import Reminders
from domain.resource import Resource
from domain.resource_day import ResourceDay
from domain.series import Series
from domain.service import Service
from domain.session import Session
from domain.visitor import Visitor
from domain.waitlist import Waitlist
from domain.webhook import Webhook, WebhookList

NO_STATE_BYTES = 64

_Listed = tuple[tuple[Callable[[Any], Collection[Any]], int], ...]


def _listed(**bytes_each: int) -> _Listed:
    return tuple((attrgetter(name.replace("__", ".")), each) for name, each in bytes_each.items())


SIZES: dict[type[State], tuple[int, _Listed]] = {
    Organization: (400, ()),
    Directory: (130, _listed(listed=217)),
    Location: (740, _listed(holidays=243)),
    Account: (420, _listed(resource_ids=90)),
    SignInName: (190, ()),
    AccessNote: (190, ()),
    ApiKey: (640, _listed(scopes=70)),
    OneTimeCode: (310, ()),
    Customer: (310, ()),
    Resource: (750, _listed(shifts=200, overrides=245, closures=300)),
    ResourceDay: (400, _listed(claims=356)),
    Pool: (390, _listed(resource_ids=108)),
    PoolTurns: (190, ()),
    Service: (610, _listed(terms__requirements=172)),
    Appointment: (990, _listed(allotments=160)),
    Session: (940, _listed(takers=164)),
    Contact: (480, _listed(visits=200)),
    BookingPage: (410, _listed(visits=472)),
    Series: (770, _listed(occurrences=244, exdates=56, skipped=56)),
    Waitlist: (240, _listed(entries=596)),
    Reminders: (290, _listed(due=88)),
    Webhook: (480, _listed(topics=88)),
    WebhookList: (130, _listed(listed=108)),
    Visitor: (270, ()),
    IdentityProvider: (520, ()),
    ExternalIdentity: (190, ()),
}
"""Bytes of each kind without its lists, and of each element of them."""


def bytes_of(stream: Stream) -> int:
    if stream.state is None:
        return NO_STATE_BYTES
    size, listed = SIZES[type(stream.state)]
    for elements, each in listed:
        size += each * len(elements(stream.state))
    return size
