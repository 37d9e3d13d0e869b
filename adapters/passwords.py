"""Passwords as argon2id digests (OWASP: 19 MiB, two passes, one lane), made in a few threads of their own."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

MEMORY_KIB = 19 * 1024
PASSES = 2
LANES = 1
THREADS = 2
"""A digest takes tens of milliseconds of a core, and a burst of sign-ins must leave room for bookings."""


class ArgonPasswords:
    """The port ``application.sign_in.Passwords``. argon2 lets go of the interpreter's lock while it works."""

    def __init__(self, *, threads: int = THREADS) -> None:
        self._hasher = Argon2Hasher(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=LANES)
        self._digests = PasswordHash((self._hasher,))
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="passwords")
        # What the password of an unknown address is compared with. Made now: the first stranger would wait for it.
        self._nobodys = self._digests.hash("no one's password")

    async def digest(self, password: str) -> str:
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._digests.hash, password)

    async def matches(self, password: str, digest: str | None) -> bool:
        compared = await asyncio.get_running_loop().run_in_executor(self._threads, self._matches, password, digest)
        return compared and digest is not None

    def is_outdated(self, digest: str) -> bool:
        return self._hasher.check_needs_rehash(digest)

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _matches(self, password: str, digest: str | None) -> bool:
        return self._digests.verify(password, digest or self._nobodys)
