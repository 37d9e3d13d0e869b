"""Password digests: argon2id, and forgettable."""

import asyncio
from uuid import uuid4

from psycopg_pool import AsyncConnectionPool

from adapters.credentials import PostgresCredentials
from adapters.passwords import ArgonPasswords


def test_the_first_digest_of_an_account_stays_until_it_is_forgotten(postgres_url: str) -> None:
    async def work() -> None:
        async with AsyncConnectionPool(postgres_url, min_size=1, open=False) as pool:
            credentials, account_id = PostgresCredentials(pool), uuid4()
            assert await credentials.password_digest(account_id) is None
            await credentials.begin(account_id, "first")

            await credentials.begin(account_id, "second")

            assert await credentials.password_digest(account_id) == "first"
            await credentials.forget(account_id)
            assert await credentials.password_digest(account_id) is None

    asyncio.run(work())


def test_a_password_matches_its_digest_and_no_other() -> None:
    async def work() -> None:
        passwords = ArgonPasswords()
        digest, again = await passwords.digest("a secret"), await passwords.digest("a secret")
        assert digest != again  # salted
        assert await passwords.matches("a secret", digest)
        assert not await passwords.matches("another", digest)
        assert not await passwords.matches("a secret", None)
        assert not await passwords.matches("no one's password", None)
        passwords.close()

    asyncio.run(work())
