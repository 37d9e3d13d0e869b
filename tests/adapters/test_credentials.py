"""Password digests and refresh tokens in PostgreSQL: one use, families, expiry; and nothing kept that could be used."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg_pool import AsyncConnectionPool

from adapters.credentials import PostgresCredentials, PostgresSessions
from adapters.passwords import ArgonPasswords
from application.sign_in import RefreshRefused

Pool = AsyncConnectionPool[Any]
ACCOUNT = UUID(int=7)


def on(postgres_url: str, work: Callable[[Pool], Awaitable[None]]) -> None:
    async def run() -> None:
        async with AsyncConnectionPool(postgres_url, min_size=1, max_size=8, open=False) as pool:
            await work(pool)

    asyncio.run(run())


def tokens(pool: Pool) -> PostgresSessions:
    return PostgresSessions(pool, secret=b"secret")


def test_the_first_digest_of_an_account_stays_until_it_is_forgotten(postgres_url: str) -> None:
    async def work(pool: Pool) -> None:
        credentials, account_id = PostgresCredentials(pool), uuid4()
        assert await credentials.password_digest(account_id) is None
        await credentials.begin(account_id, "first")

        await credentials.begin(account_id, "second")

        assert await credentials.password_digest(account_id) == "first"
        await credentials.forget(account_id)
        assert await credentials.password_digest(account_id) is None

    on(postgres_url, work)


def test_a_token_is_followed_by_another_of_the_same_account(postgres_url: str) -> None:
    async def work(pool: Pool) -> None:
        refresh = tokens(pool)
        session, first = await refresh.begin(ACCOUNT)

        rotated, second = await refresh.rotate(first)

        assert rotated == session
        assert session.account_id == ACCOUNT
        assert second != first
        assert (await refresh.rotate(second))[0] == session

    on(postgres_url, work)


def test_of_racing_uses_of_one_token_at_most_one_wins(postgres_url: str) -> None:
    async def work(pool: Pool) -> None:
        refresh = tokens(pool)
        _, first = await refresh.begin(ACCOUNT)

        answers = await asyncio.gather(*(refresh.rotate(first) for _ in range(8)), return_exceptions=True)

        won = [answer for answer in answers if not isinstance(answer, BaseException)]
        assert len(won) == 1
        with pytest.raises(RefreshRefused):  # the others looked like thieves: the family is over
            await refresh.rotate(won[0][1])

    on(postgres_url, work)


def test_racing_retries_of_one_use_get_the_same_successor(postgres_url: str) -> None:
    async def work(pool: Pool) -> None:
        refresh = tokens(pool)
        _, first = await refresh.begin(ACCOUNT)

        answers = await asyncio.gather(*(refresh.rotate(first, retry_key="k") for _ in range(8)))

        assert len(set(answers)) == 1
        await refresh.rotate(answers[0][1])

    on(postgres_url, work)


def test_another_key_is_no_retry(postgres_url: str) -> None:
    async def work(pool: Pool) -> None:
        refresh = tokens(pool)
        _, first = await refresh.begin(ACCOUNT)
        await refresh.rotate(first, retry_key="k")

        with pytest.raises(RefreshRefused):
            await refresh.rotate(first, retry_key="l")

    on(postgres_url, work)


def test_a_token_that_comes_twice_tells_which_session_it_has_ended(postgres_url: str) -> None:
    async def work(pool: Pool) -> None:
        refresh = tokens(pool)
        session, first = await refresh.begin(ACCOUNT)
        await refresh.rotate(first)

        with pytest.raises(RefreshRefused) as refused:
            await refresh.rotate(first)

        assert refused.value.reused == session

    on(postgres_url, work)


def test_a_session_is_ended_by_its_own_account_alone_and_once(postgres_url: str) -> None:
    async def work(pool: Pool) -> None:
        refresh = tokens(pool)
        session, token = await refresh.begin(ACCOUNT)

        assert not await refresh.end(uuid4(), session.id)
        assert await refresh.end(ACCOUNT, session.id)
        assert not await refresh.end(ACCOUNT, session.id)

        with pytest.raises(RefreshRefused):
            await refresh.rotate(token)

    on(postgres_url, work)


def test_all_sessions_of_an_account_end_but_the_one_that_is_spared(postgres_url: str) -> None:
    async def work(pool: Pool) -> None:
        refresh, account_id = tokens(pool), uuid4()
        (spared, kept), (one, _), (other, _) = [await refresh.begin(account_id) for _ in range(3)]
        _, elsewhere = await refresh.begin(uuid4())

        assert set(await refresh.end_all(account_id, but=spared.id)) == {one.id, other.id}

        await refresh.rotate(kept)
        await refresh.rotate(elsewhere)
        assert await refresh.end_all(account_id) == [spared.id]

    on(postgres_url, work)


@pytest.mark.parametrize("column", ["expires_at", "family_expires_at"])
def test_a_token_ends_and_so_does_a_sign_in_however_often_it_was_refreshed(postgres_url: str, column: str) -> None:
    async def work(pool: Pool) -> None:
        refresh = tokens(pool)
        _, first = await refresh.begin(ACCOUNT)
        second = (await refresh.rotate(first))[1]
        async with pool.connection() as connection:
            await connection.execute(f"UPDATE refresh_token SET {column} = now() - interval '1 second'")

        with pytest.raises(RefreshRefused):
            await refresh.rotate(second)

    on(postgres_url, work)


def test_what_is_kept_is_no_token(postgres_url: str) -> None:
    async def work(pool: Pool) -> None:
        refresh = tokens(pool)
        given = [(await refresh.begin(ACCOUNT))[1]]
        given.append((await refresh.rotate(given[0], retry_key="a retry key"))[1])
        with psycopg.connect(postgres_url) as connection:
            kept = str(connection.execute("SELECT * FROM refresh_token").fetchall())
        for secret in (*given, "a retry key"):
            assert secret not in kept
        assert all(len(token) >= 43 for token in given)  # 256 bits

    on(postgres_url, work)


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
