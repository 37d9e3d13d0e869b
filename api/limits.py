"""Every limit on how often one may ask, in one table; and where a request meets them.

| What | How often | By what |
|---|---|---|
| any request | over 10 s: 2,000/s an address, 600/s an account, 3,000/s a house | in memory, shared beside |
| the doors | see ``DOORS``, an address | counted exactly: while Redis is away they are shut |
| tries to sign in | see ``application.sign_in_tries`` | buckets, exactly |
| sockets | see ``SOCKETS`` | of each process |

An API process answers some 2,000 bookings a second: the first row keeps one account from taking more than a third of
it. Outside production all of it is a hundred times as much: there, one machine is everybody.
"""

import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from math import ceil
from typing import Final

from starlette.types import Receive, Scope, Send

from api.client_address import ClientAddresses
from api.problems import Rejected
from application.rate_limits import Doorman, Limit, LimitsUnavailable, Window, Windows
from domain.permissions import Actor

WINDOW_S: Final = 10
ADDRESS_PER_S, ACCOUNT_PER_S, ORGANIZATION_PER_S = 2_000, 600, 3_000
OUTSIDE_PRODUCTION: Final = 100.0

_LINKS: Final = Limit("links", 120, 600)
_SECOND_FACTOR: Final = Limit("second-factor", 120, 600)
_VISITOR_CODES_TRIED: Final = Limit("visitor-codes-tried", 120, 600)
DOORS: Final[Mapping[tuple[str, str], Limit]] = {
    ("POST", "/v1/auth/register"): Limit("registration", 20, 3_600),
    ("POST", "/v1/organizations"): Limit("sign-up", 10, 3_600),
    ("POST", "/v1/auth/password-reset"): Limit("password-reset", 20, 3_600),
    ("POST", "/v1/auth/password-reset/confirm"): _LINKS,
    ("POST", "/v1/auth/verify-email"): _LINKS,
    ("POST", "/v1/auth/verify-email/request"): Limit("verification", 20, 3_600),
    ("POST", "/v1/auth/password"): Limit("password", 60, 600),
    ("POST", "/v1/auth/second-factor"): _SECOND_FACTOR,
    ("POST", "/v1/auth/second-factor/confirm"): _SECOND_FACTOR,
    ("POST", "/v1/auth/second-factor/remove"): _SECOND_FACTOR,
    ("POST", "/v1/auth/second-factor/recovery-codes"): _SECOND_FACTOR,
    ("POST", "/v1/public/{organization_id}/appointments"): Limit("public-booking", 60, 3_600),
    ("POST", "/v1/public/appointments/{appointment_id}/codes"): Limit("visitor-codes", 60, 3_600),
    ("POST", "/v1/public/appointments/{appointment_id}/confirm"): _VISITOR_CODES_TRIED,
    ("POST", "/v1/public/appointments/{appointment_id}/link"): _VISITOR_CODES_TRIED,
    ("POST", "/v1/auth/oidc/{organization_id}/start"): Limit("oidc-sign-in", 60, 60),
    ("POST", "/v1/auth/oidc/link"): Limit("oidc-link", 60, 600),
}
"""By method and path as declared. What makes something for nothing, or is tried with a secret: shut without Redis.

Each is far above what one household asks for, since a telephone network shows thousands of people under one address.
Rows with the same limit are counted together.
"""
SIGN_IN: Final = Limit("sign-in", 300, 60)
"""With a password, which takes a while to check even if it is right. A refresh token needs no such door: its 256 bits
are not guessed, and whoever is signed in stays so while Redis is away.
"""

NEVER_REFUSED: Final = frozenset({"/livez", "/readyz", "/healthz", "/metrics"})
"""Whoever looks after this process must be told how it is, most of all when it is busy."""

DOOR_SHUT_FOR_S: Final = 2
_WINDOW = "daybook.window"


@dataclass(frozen=True, slots=True)
class SocketLimits:
    """``frames_burst`` at once and then ``frames_per_s``; without a subscription and a frame for ``idle_s`` it ends."""

    per_account: int = 50
    per_address: int = 500
    frames_burst: int = 250
    frames_per_s: float = 20.0
    idle_s: float = 300.0

    def times(self, factor: float) -> "SocketLimits":
        return SocketLimits(max(1, round(self.per_account * factor)), max(1, round(self.per_address * factor)))


class TooManyRequests(Rejected):
    """The limit that was reached says so by its name; ``RateLimit-Policy`` says what it is."""

    def __init__(self, limit: Limit, retry_after_s: int, *, headers: Mapping[str, str] | None = None) -> None:
        told = f"At most {limit.count} in {limit.window_s} s ({limit.name}): try again in {retry_after_s} s."
        super().__init__("too-many-requests", told, headers={"Retry-After": str(retry_after_s), **(headers or {})})


@dataclass(frozen=True, slots=True)
class Rates:
    """How much of the table holds here. ``factor`` is that of everything that has no figure of its own."""

    address_per_s: float = ADDRESS_PER_S
    account_per_s: float = ACCOUNT_PER_S
    organization_per_s: float = ORGANIZATION_PER_S
    factor: float = 1.0


class RateLimits:
    """One for each process. Synchronous but for the doors: a window is looked up and counted in memory."""

    def __init__(self, windows: Windows, doorman: Doorman, addresses: ClientAddresses, rates: Rates) -> None:
        self.windows = windows
        self.addresses = addresses
        self.sockets = SocketLimits().times(rates.factor)
        self._doorman = doorman
        self._doors = {door.name: door.times(rates.factor) for door in (SIGN_IN, *DOORS.values())}
        self._address, self._addresses = self._kind("address", rates.address_per_s)
        self._account, self._accounts = self._kind("account", rates.account_per_s)
        self._organization, self._organizations = self._kind("organization", rates.organization_per_s)

        self._told = {
            limit.name: (
                (b"ratelimit-policy", b'"%b";q=%d;w=%d' % (limit.name.encode(), limit.count, limit.window_s)),
                b'"%b";r=%%d;t=%%d' % limit.name.encode(),
            )
            for limit in (self._address, self._account, self._organization)
        }

    def _kind(self, name: str, per_s: float) -> tuple[Limit, dict[object, Window]]:
        return Limit(name, max(1, round(per_s * WINDOW_S)), WINDOW_S), self.windows.kind(name)

    def arrived(self, scope: Scope) -> None:
        """At the edge, of every request. Raises ``TooManyRequests``."""
        digest, now = self.addresses.digest(scope), time.time()
        window = self._addresses.get(digest) or self.windows.open("address", digest, self._address)
        scope[_WINDOW] = window
        if not window.take(now) and scope["path"] not in NEVER_REFUSED:
            raise self._refused(window, now)

    def admitted(self, scope: Scope, actor: Actor) -> None:
        """Of a request that is signed in; once, however often one asks who it is. Raises ``TooManyRequests``."""
        counted = scope.get(_WINDOW)
        if counted is not None and counted.limit is not self._address:
            return
        now, account_id, organization_id = time.time(), actor.account_id, actor.organization_id
        own = self._accounts.get(account_id) or self.windows.open("account", account_id, self._account)
        scope[_WINDOW] = own
        if not own.take(now):
            raise self._refused(own, now)
        house = self._organizations.get(organization_id)
        if house is None:
            house = self.windows.open("organization", organization_id, self._organization)
        if not house.take(now):
            scope[_WINDOW] = house
            raise self._refused(house, now)

    def headers(self, scope: Scope) -> tuple[tuple[bytes, bytes], ...]:
        """``RateLimit`` and its policy (draft-ietf-httpapi-ratelimit-headers-10), of the client's own window."""
        window: Window | None = scope.get(_WINDOW)
        if window is None:
            return ()
        now = time.time()
        policy, told = self._told[window.limit.name]
        return policy, (b"ratelimit", told % (window.left(now), window.ends - now + 1))

    def _refused(self, window: Window, now: float) -> TooManyRequests:
        self.windows.tally.refused += 1
        return TooManyRequests(window.limit, window.again_in_s(now))

    async def knocked(self, scope: Scope, door: Limit) -> None:
        """At a door of the table. Raises ``TooManyRequests``; ``Rejected`` while nobody can count."""
        limit = self._doors[door.name]
        try:
            wait_s = await self._doorman.knock(limit, self.addresses.digest(scope))
        except LimitsUnavailable:
            raise self.shut() from None
        if wait_s:
            self.windows.tally.refused += 1
            raise TooManyRequests(limit, ceil(wait_s))

    def shut(self) -> Rejected:
        """Whoever tries passwords must not be let in because nobody counts. Why is logged by ``Windows``, once."""
        self.windows.tally.shut += 1
        told = "How often this was tried cannot be counted at the moment; try again."
        return Rejected("unavailable", told, headers={"Retry-After": str(DOOR_SHUT_FOR_S)})


Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]


def behind_door(path: str, methods: Iterable[str] | None, app: Asgi) -> Asgi:
    """``app``, or what knocks first if the route is one of the doors."""
    door = next((DOORS[method, path] for method in methods or () if (method, path) in DOORS), None)
    if door is None:
        return app

    async def knocking(scope: Scope, receive: Receive, send: Send) -> None:
        limits: RateLimits = scope["app"].state.ports.limits
        await limits.knocked(scope, door)
        await app(scope, receive, send)

    return knocking
