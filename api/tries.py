"""Tries to sign in, as they come over HTTP: where from, on which device; and what one try too many is answered."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Final, TypeVar
from uuid import UUID

from fastapi import Depends
from starlette.requests import Request
from starlette.responses import Response

from api.limits import SIGN_IN
from api.ports import Ports, ports_of
from api.problems import Rejected
from api.sending_codes import sign_in_address
from application.rate_limits import LimitsUnavailable
from application.sign_in import account_of_name, actor_of, knows_password
from application.sign_in_tries import TooManyTries, Try
from domain.access import SignInRejected
from domain.account import Account
from domain.account_refusals import WrongPassword

T = TypeVar("T")

DEVICE_COOKIE: Final = "daybook_device"
DEVICE_KNOWN_FOR_S: Final = 365 * 24 * 3600
REASON: Final = "too_many"


async def _as_it_came(request: Request) -> Request:
    return request


AsItCame = Annotated[Request, Depends(_as_it_came)]
"""For an endpoint at which one may guess: where a try comes from is told by the request itself."""


async def guarded(
    request: Request, email: str, evaluate: Callable[[], Awaitable[T]], *, account_id: UUID | None = None
) -> T:
    """What ``evaluate`` returns, if a try at this address is let in now. Raises what it raises, and ``Rejected``.

    A refused try is noted for the auditors, as one at the account; its password is not looked at. ``account_id``: of
    whoever is signed in already.
    """
    ports = ports_of(request)
    await ports.limits.knocked(request.scope, SIGN_IN)
    one = Try(email, ports.limits.addresses.digest(request.scope), request.cookies.get(DEVICE_COOKIE))
    try:
        return await ports.threshold.crossed(one, evaluate)
    except TooManyTries as refused:
        await _note(ports, account_id or await account_of_name(ports.door.journal, refused.sign_in_name_id))
        told = f"Too many tries; the next one may be made in {refused.retry_after_s} s."
        raise Rejected("too-many-requests", told, headers={"Retry-After": str(refused.retry_after_s)}) from None
    except LimitsUnavailable:
        raise ports.limits.shut() from None


async def says_password_again(request: Request, account: Account, password: str) -> bool:
    """Whether it is that of the account, of whoever is signed in to it.

    A stolen token must not be a way to guess: a wrong one counts as it does at signing in. Raises ``Rejected``.
    """
    ports = ports_of(request)

    async def evaluate() -> None:
        if not await knows_password(ports.door, account.id, password):
            raise WrongPassword

    address = await sign_in_address(ports, account) or str(account.id)
    try:
        await guarded(request, address, evaluate, account_id=account.id)
    except WrongPassword:
        return False
    return True


def remember_device(request: Request, answer: Response, email: str) -> None:
    """The cookie signs nobody in: it says that whoever has it once knew the password."""
    answer.set_cookie(
        DEVICE_COOKIE,
        ports_of(request).threshold.cookie(email),
        max_age=DEVICE_KNOWN_FOR_S,
        path="/v1/auth",
        secure=request.url.hostname not in {"127.0.0.1", "localhost", "::1"},
        httponly=True,
        samesite="strict",
    )


async def _note(ports: Ports, account_id: UUID | None) -> None:
    actor = await actor_of(ports.door.journal, account_id) if account_id else None
    if actor is not None:
        await ports.access_log.note(actor, SignInRejected(account_id=actor.account_id, reason=REASON, times=1))
