"""Sessions and refresh tokens in PostgreSQL: one use, expiry, endings; and nothing kept that could be used.

SECURITY.md rows 27 and 28.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg_pool import AsyncConnectionPool

from adapters.sessions import OPEN_MAX, PostgresEndings, PostgresSessions
from application.ended_sessions import SessionsUnavailable
from application.sessions import RefreshRefused, Session
from domain.access import SessionEnding, SignInMethod
from domain.account import Role
from domain.permissions import Actor

Pool = AsyncConnectionPool[Any]
ACCOUNT = UUID(int=7)
pytestmark = pytest.mark.security(27, 28)


def on(postgres_url: str, work: Callable[[Pool], Awaitable[None]]) -> None:
    async def run() -> None:
        async with AsyncConnectionPool(postgres_url, min_size=1, max_size=8, open=False) as pool:
            await work(pool)

    asyncio.run(run())


def tokens(pool: Pool) -> PostgresSessions:
    return PostgresSessions(pool, secret=b"secret")


async def begun(sessions: PostgresSessions, account_id: UUID = ACCOUNT) -> tuple[Session, str]:
    return await sessions.begin(Actor(account_id, UUID(int=1), UUID(int=2), Role.STAFF), SignInMethod.PASSWORD)


def test_a_token_is_followed_by_another_of_the_same_account(postgres_url: str) -> None:
    async def work(pool: Pool) -> None:
        refresh = tokens(pool)
        session, first = await begun(refresh)

        rotated, second = await refresh.rotate(first)

        assert rotated == session
        assert session.account_id == ACCOUNT
        assert second != first
        assert (await refresh.rotate(second))[0] == session

    on(postgres_url, work)


def test_of_racing_uses_of_one_token_at_most_one_wins(postgres_url: str) -> None:
    async def work(pool: Pool) -> None:
        refresh = tokens(pool)
        _, first = await begun(refresh)

        answers = await asyncio.gather(*(refresh.rotate(first) for _ in range(8)), return_exceptions=True)

        won = [answer for answer in answers if not isinstance(answer, BaseException)]
        assert len(won) == 1
        with pytest.raises(RefreshRefused):  # the others looked like thieves: the family is over
            await refresh.rotate(won[0][1])

    on(postgres_url, work)


def test_racing_retries_of_one_use_get_the_same_successor(postgres_url: str) -> None:
    async def work(pool: Pool) -> None:
        refresh = tokens(pool)
        _, first = await begun(refresh)

        answers = await asyncio.gather(*(refresh.rotate(first, retry_key="k") for _ in range(8)))

        assert len(set(answers)) == 1
        await refresh.rotate(answers[0][1])

    on(postgres_url, work)


def test_another_key_is_no_retry(postgres_url: str) -> None:
    async def work(pool: Pool) -> None:
        refresh = tokens(pool)
        _, first = await begun(refresh)
        await refresh.rotate(first, retry_key="k")

        with pytest.raises(RefreshRefused):
            await refresh.rotate(first, retry_key="l")

    on(postgres_url, work)


def test_a_token_that_comes_twice_tells_which_session_it_has_ended(postgres_url: str) -> None:
    async def work(pool: Pool) -> None:
        refresh = tokens(pool)
        session, first = await begun(refresh)
        await refresh.rotate(first)

        with pytest.raises(RefreshRefused) as refused:
            await refresh.rotate(first)

        assert refused.value.reused == session

    on(postgres_url, work)


def test_a_session_is_ended_by_its_own_account_alone_and_once(postgres_url: str) -> None:
    async def work(pool: Pool) -> None:
        refresh = tokens(pool)
        session, token = await begun(refresh)

        assert not await refresh.end(uuid4(), session.id)
        assert await refresh.end(ACCOUNT, session.id)
        assert not await refresh.end(ACCOUNT, session.id)

        with pytest.raises(RefreshRefused):
            await refresh.rotate(token)

    on(postgres_url, work)


def test_all_sessions_of_an_account_end_but_the_one_that_is_spared(postgres_url: str) -> None:
    async def work(pool: Pool) -> None:
        refresh, account_id = tokens(pool), uuid4()
        (spared, kept), (one, _), (other, _) = [await begun(refresh, account_id) for _ in range(3)]
        _, elsewhere = await begun(refresh, uuid4())

        assert set(await refresh.end_all(account_id, but=spared.id)) == {one.id, other.id}

        await refresh.rotate(kept)
        await refresh.rotate(elsewhere)
        assert await refresh.end_all(account_id) == [spared.id]

    on(postgres_url, work)


@pytest.mark.parametrize("table", ["refresh_token", "sign_in_session"])
def test_a_token_ends_and_so_does_a_session_however_often_it_was_refreshed(postgres_url: str, table: str) -> None:
    async def work(pool: Pool) -> None:
        refresh = tokens(pool)
        _, first = await begun(refresh)
        second = (await refresh.rotate(first))[1]
        async with pool.connection() as connection:
            await connection.execute(f"UPDATE {table} SET expires_at = now() - interval '1 second'")

        with pytest.raises(RefreshRefused):
            await refresh.rotate(second)

    on(postgres_url, work)


def test_what_is_kept_is_no_token(postgres_url: str) -> None:
    async def work(pool: Pool) -> None:
        refresh = tokens(pool)
        given = [(await begun(refresh))[1]]
        given.append((await refresh.rotate(given[0], retry_key="a retry key"))[1])
        with psycopg.connect(postgres_url) as connection:
            kept = str(connection.execute("SELECT * FROM refresh_token, sign_in_session").fetchall())
        for secret in (*given, "a retry key"):
            assert secret not in kept
        assert all(len(token) >= 43 for token in given)  # 256 bits

    on(postgres_url, work)


def test_an_answer_that_was_lost_is_given_again_for_some_minutes_only(postgres_url: str) -> None:
    async def work(pool: Pool) -> None:
        refresh = tokens(pool)
        session, first = await begun(refresh)
        lost = await refresh.rotate(first, retry_key="k")
        assert await refresh.rotate(first, retry_key="k") == lost
        async with pool.connection() as connection:
            await connection.execute("UPDATE refresh_token SET used_at = used_at - interval '10 minutes'")

        with pytest.raises(RefreshRefused) as refused:
            await refresh.rotate(first, retry_key="k")

        assert refused.value.reused == session

    on(postgres_url, work)


def test_the_sessions_of_an_account_are_those_that_go_on(postgres_url: str) -> None:
    async def work(pool: Pool) -> None:
        sessions, account_id = tokens(pool), uuid4()
        (one, token), (ended, _), (expired, _), (idle, _) = [await begun(sessions, account_id) for _ in range(4)]
        await begun(sessions, uuid4())
        await sessions.end(account_id, ended.id, because=SessionEnding.SIGNED_OUT)
        async with pool.connection() as connection:
            await connection.execute("UPDATE sign_in_session SET expires_at = now() WHERE id = %s", (expired.id,))
            unused = "UPDATE sign_in_session SET used_at = now() - interval '31 days' WHERE id = %s"
            await connection.execute(unused, (idle.id,))
        await sessions.rotate(token)

        found = await sessions.open(account_id)

        assert [(session.id, session.method) for session in found] == [(one.id, SignInMethod.PASSWORD)]
        assert found[0].begun_at < found[0].used_at < found[0].expires_at
        with psycopg.connect(postgres_url) as connection:
            reason = connection.execute("SELECT because FROM sign_in_session WHERE id = %s", (ended.id,)).fetchone()
        assert reason == ("signed_out",)

    on(postgres_url, work)


def test_one_session_too_many_ends_the_one_that_was_not_used_for_longest(postgres_url: str) -> None:
    async def work(pool: Pool) -> None:
        sessions, account_id = tokens(pool), uuid4()
        (first, token), (second, _) = [await begun(sessions, account_id) for _ in range(2)]
        await sessions.rotate(token)
        for _ in range(OPEN_MAX - 2):
            await begun(sessions, account_id)
        assert len(await sessions.open(account_id)) == OPEN_MAX

        last, _ = await begun(sessions, account_id)

        left = {session.id for session in await sessions.open(account_id)}
        assert len(left) == OPEN_MAX
        assert {first.id, last.id} <= left
        assert second.id not in left

    on(postgres_url, work)


def test_what_is_over_for_long_is_forgotten_with_its_tokens(postgres_url: str) -> None:
    async def work(pool: Pool) -> None:
        sessions, account_id = tokens(pool), uuid4()
        old, _ = await begun(sessions, account_id)
        async with pool.connection() as connection:
            await connection.execute(
                "UPDATE sign_in_session SET expires_at = now() - interval '31 days' WHERE id = %s", (old.id,)
            )

        await begun(sessions, account_id)

        with psycopg.connect(postgres_url) as connection:
            kept = "SELECT count(*) FROM refresh_token LEFT JOIN sign_in_session s ON s.id = session_id WHERE {}"
            assert connection.execute(kept.format("session_id = %s"), (old.id,)).fetchone() == (0,)
            assert connection.execute(kept.format("account_id = %s"), (account_id,)).fetchone() == (1,)

    on(postgres_url, work)


def test_whatever_ends_a_session_is_announced_and_seen_by_those_who_look(postgres_url: str) -> None:
    async def work(pool: Pool) -> None:
        announced = 0

        async def announce() -> None:
            nonlocal announced
            announced += 1

        sessions, endings = PostgresSessions(pool, secret=b"secret", announce=announce), PostgresEndings(pool)
        given = [await begun(sessions, uuid4()) for _ in range(4)]
        (signed_out, _), (all_of_it, _), (stolen, token), (goes_on, _) = given
        assert announced == 0

        await sessions.end(signed_out.account_id, signed_out.id)
        await sessions.end_all(all_of_it.account_id)
        await sessions.rotate(token)
        with pytest.raises(RefreshRefused):
            await sessions.rotate(token)

        assert announced == 3
        over = set(await endings.over_within(60))
        assert {signed_out.id, all_of_it.id, stolen.id} <= over
        assert goes_on.id not in over
        assert not await sessions.end_all(all_of_it.account_id)
        assert announced == 3

    on(postgres_url, work)


def test_a_store_that_is_away_is_told_from_one_without_endings() -> None:
    async def work() -> None:
        url = "postgresql://nobody@127.0.0.1:1/none"
        async with AsyncConnectionPool(url, min_size=0, max_size=1, timeout=0.2, open=False) as pool:
            with pytest.raises(SessionsUnavailable):
                await PostgresEndings(pool).over_within(60)

    asyncio.run(work())
