"""Tries to sign in, as they come over HTTP: where from, on which device; and what one try too many is answered."""

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from api.limits import SIGN_IN
from api.ports import Ports, ports_of
from api.problems import Rejected
from application.rate_limits import LimitsUnavailable
from application.sign_in import account_of_name, actor_of
from application.sign_in_tries import TooManyTries, Try
from domain.access import SignInRejected

T = TypeVar("T")

DEVICE_COOKIE: Final = "daybook_device"
DEVICE_KNOWN_FOR_S: Final = 365 * 24 * 3600
REASON: Final = "too_many"


async def guarded(request: Request, email: str, evaluate: Callable[[], Awaitable[T]]) -> T:
    """What ``evaluate`` returns, if a try at this address is let in now. Raises what it raises, and ``Rejected``.

    A refused try is noted for the auditors, as one at the account; its password is not looked at.
    """
    ports = ports_of(request)
    await ports.limits.knocked(request.scope, SIGN_IN)
    one = Try(email, ports.limits.addresses.digest(request.scope), request.cookies.get(DEVICE_COOKIE))
    try:
        return await ports.threshold.crossed(one, evaluate)
    except TooManyTries as refused:
        await _note(ports, refused)
        told = f"Too many tries; the next one may be made in {refused.retry_after_s} s."
        raise Rejected("too-many-requests", told, headers={"Retry-After": str(refused.retry_after_s)}) from None
    except LimitsUnavailable:
        raise ports.limits.shut() from None


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


async def _note(ports: Ports, refused: TooManyTries) -> None:
    account_id = await account_of_name(ports.door.journal, refused.sign_in_name_id)
    actor = await actor_of(ports.door.journal, account_id) if account_id else None
    if actor is not None:
        await ports.access_log.note(actor, SignInRejected(account_id=actor.account_id, reason=REASON, times=1))
