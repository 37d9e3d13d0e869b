"""Tries to sign in: slowed down for whoever guesses, never for the owner whom they guess at.

A try is paid for from buckets that fill again. A stranger pays from three: that of the account and its address, that of
all strangers at the account, that of the address. Whoever has signed in to the account before, from this address or on
this device (its cookie says so), pays from one of their own. So a thousand bots empty the strangers' bucket, and the
owner signs in (OWASP: device cookies). A bucket is never shut for long, since it fills by the second.
"""

import hashlib
import hmac
import math
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar
from uuid import UUID

from application.sign_in import SecondFactorNeeded, sign_in_name_id

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Bucket:
    """``burst`` tries at once, and then one every ``every_s``."""

    burst: int
    every_s: float


OWN: Final = Bucket(10, 3)
PAIR: Final = Bucket(10, 6)
STRANGERS: Final = Bucket(20, 10)
"""8,640 guesses a day at one account, by however many bots. Eight characters that are on no list outlast that."""
ADDRESS: Final = Bucket(100, 1)

_NONCE_BYTES: Final = 16


class TooManyTries(Exception):  # noqa: N818
    """Not evaluated, whatever the password. ``retry_after_s`` is when a try will be."""

    def __init__(self, sign_in_name_id: UUID, retry_after_s: int) -> None:
        super().__init__(sign_in_name_id, retry_after_s)
        self.sign_in_name_id = sign_in_name_id
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True)
class Tried:
    """``wait_s``: 0 for one that is let in, else when to come again. ``spent``: what it was paid from."""

    wait_s: float
    spent: Sequence[tuple[str, Bucket]]


class Tries(Protocol):
    """Buckets that all processes share. Raises ``LimitsUnavailable``: nobody guesses while nobody counts."""

    async def spend(
        self,
        known: str,
        own: tuple[str, Bucket],
        strangers: Sequence[tuple[str, Bucket]],
        *,
        trusted: bool,
    ) -> Tried:
        """Pay from ``own`` if ``trusted`` or if ``known`` has succeeded before, else from each of ``strangers``."""

    async def succeed(self, known: str, spent: Sequence[tuple[str, Bucket]]) -> None:
        """It was the owner: ``known`` from now on. The first of ``spent`` is theirs, and full again; the others, that
        a bot with an account of its own must not fill for its guesses, have back what this try cost.
        """

    async def give_back(self, spent: Sequence[tuple[str, Bucket]]) -> None:
        """It was no guess, nor is it known to be the owner: each of ``spent`` has back what this try cost."""


@dataclass(frozen=True, slots=True)
class Try:
    """``address``: a digest of where it comes from. ``device``: what its cookie says, if it has one."""

    email: str
    address: str
    device: str | None = None


@dataclass(frozen=True, slots=True)
class Threshold:
    """In front of every way to sign in that can be guessed at. ``secret`` keys the device cookies."""

    tries: Tries
    secret: bytes

    async def crossed(self, one: Try, evaluate: Callable[[], Awaitable[T]]) -> T:
        """What ``evaluate`` returns, which raises if the try fails. Raises ``TooManyTries``, ``LimitsUnavailable``."""
        name_id = sign_in_name_id(self.secret, one.email)
        name, device = name_id.hex, self._device(name_id, one.device)
        known = f"known:{name}:{one.address}"
        tried = await self.tries.spend(
            known,
            (f"tries:{name}:device:{device}" if device else f"tries:{name}:known:{one.address}", OWN),
            (
                (f"tries:{name}:from:{one.address}", PAIR),
                (f"tries:{name}:strangers", STRANGERS),
                (f"tries:from:{one.address}", ADDRESS),
            ),
            trusted=device is not None,
        )
        if tried.wait_s > 0:
            raise TooManyTries(name_id, math.ceil(tried.wait_s))
        try:
            found = await evaluate()
        except SecondFactorNeeded:
            # Half of a sign-in. Were the bucket full again, whoever has the password could guess codes without end.
            await self.tries.give_back(tried.spent)
            raise
        await self.tries.succeed(known, tried.spent)
        return found

    def cookie(self, email: str) -> str:
        """For a device from which the owner has just signed in."""
        nonce = secrets.token_hex(_NONCE_BYTES)
        return f"{nonce}.{self._signature(sign_in_name_id(self.secret, email), nonce)}"

    def _device(self, name_id: UUID, cookie: str | None) -> str | None:
        nonce, _, signature = (cookie or "").partition(".")
        if len(nonce) != 2 * _NONCE_BYTES or not nonce.isalnum() or not signature.isascii():
            return None
        return nonce if hmac.compare_digest(signature, self._signature(name_id, nonce)) else None

    def _signature(self, name_id: UUID, nonce: str) -> str:
        return hmac.new(self.secret, b"device" + name_id.bytes + nonce.encode(), hashlib.sha256).hexdigest()
