"""The token that all clients of a run use: fetched again when it was refused or grows old."""

import asyncio
import base64
import json
import time
import urllib.request
from urllib.parse import urlencode
from uuid import UUID

from tests.torture.talking import Unknown
from tests.torture.world import PASSWORD

FRESH_FOR_S = 420.0


class SignIn:
    def __init__(self, email: str) -> None:
        self._email = email
        self._token, self._fetched_at = "", 0.0
        self._one_at_a_time = asyncio.Lock()

    def forget(self) -> None:
        self._token = ""

    async def token(self, url: str) -> str:
        """Raises ``Unknown``."""
        async with self._one_at_a_time:
            if not self._token or time.monotonic() - self._fetched_at > FRESH_FOR_S:
                try:
                    self._token = await asyncio.to_thread(fetched, url, self._email)
                except (OSError, ValueError) as lost:
                    raise Unknown(repr(lost)) from None
                self._fetched_at = time.monotonic()
            return self._token


def fetched(url: str, email: str) -> str:
    form = urlencode({"grant_type": "password", "username": email, "password": PASSWORD}).encode()
    with urllib.request.urlopen(f"{url}/v1/auth/token", data=form, timeout=5) as answer:
        return str(json.load(answer)["access_token"])


def account_of(token: str) -> UUID:
    """Whose it is: command ids are made of it."""
    claims = token.split(".")[1]
    return UUID(json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["sub"])
