"""One-time codes on a real PostgreSQL: SECURITY.md row 22."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg_pool import AsyncConnectionPool, ConnectionPool

from adapters.one_time_codes import PostgresOneTimeCodes, SealedCodes
from adapters.vault import Seal, VaultKeyWrong
from application.one_time_codes import AGAIN_AFTER, LIFETIME_MAX, TRIES_MAX, Enclosed, Form
from domain.one_time_code import Purpose

SEAL = Seal(bytes(32))
ORGANIZATION = UUID(int=1)
RESET, VERIFY = Purpose.RESET_PASSWORD, Purpose.VERIFY_EMAIL

pytestmark = pytest.mark.security(22)


class Issuer:
    """Issues codes, and looks into them as the notifier does."""

    def __init__(self, url: str, pool: AsyncConnectionPool[Any]) -> None:
        self.url = url
        self.codes = PostgresOneTimeCodes(pool, SEAL, secret=b"secret")

    async def issue(self, form: Form, key: UUID | None = None, **how: Any) -> tuple[UUID, str]:
        """The key and the code."""
        key, code_id = key or uuid4(), how.pop("code_id", None) or uuid4()
        purpose = how.pop("purpose", RESET)
        assert await self.codes.issue(purpose, key, code_id=code_id, organization_id=ORGANIZATION, form=form, **how)
        return key, self.enclosed(code_id)[code_id].code

    async def again(self, key: UUID) -> bool:
        return await self.codes.issue(
            RESET, key, code_id=uuid4(), organization_id=ORGANIZATION, form=Form.DIGITS, again_after=AGAIN_AFTER
        )

    def enclosed(self, *code_ids: UUID) -> dict[UUID, Enclosed]:
        with ConnectionPool(self.url, min_size=1) as pool:
            return dict(SealedCodes(pool, SEAL).enclosed(code_ids))

    def change(self, key: UUID, assignment: str) -> None:
        with psycopg.connect(self.url) as connection:
            connection.execute(f"UPDATE one_time_code SET {assignment} WHERE key = %s", (key,))

    def stored(self, key: UUID) -> tuple[Any, ...]:
        with psycopg.connect(self.url) as connection:
            row = connection.execute(
                "SELECT tries, sealed, digest, used_at IS NOT NULL FROM one_time_code WHERE key = %s", (key,)
            ).fetchone()
        assert row
        return row


def on(postgres_url: str, work: Callable[[Issuer], Awaitable[None]]) -> None:
    async def run() -> None:
        async with AsyncConnectionPool(postgres_url, min_size=1, max_size=8, open=False) as pool:
            await work(Issuer(postgres_url, pool))

    asyncio.run(run())


def test_a_code_of_digits_is_good_once_for_its_purpose_and_key_alone(postgres_url: str) -> None:
    async def work(issuer: Issuer) -> None:
        key, code = await issuer.issue(Form.DIGITS)
        other, _ = await issuer.issue(Form.DIGITS)

        assert len(code) == 8
        assert code.isdecimal()
        assert not await issuer.codes.redeem(VERIFY, key, code)
        assert not await issuer.codes.redeem(RESET, other, code)
        assert await issuer.codes.redeem(RESET, key, f" {code[:4]} {code[4:]}")  # as it is written in the message
        assert not await issuer.codes.redeem(RESET, key, code)

    on(postgres_url, work)


def test_a_link_is_good_once_for_its_purpose_alone_and_knows_its_key(postgres_url: str) -> None:
    async def work(issuer: Issuer) -> None:
        key, token = await issuer.issue(Form.LINK)

        assert await issuer.codes.holder(VERIFY, token) is None
        assert await issuer.codes.redeem_link(VERIFY, token) is None
        assert await issuer.codes.holder(RESET, token) == key
        assert await issuer.codes.redeem_link(RESET, token) == key
        assert await issuer.codes.holder(RESET, token) is None
        assert await issuer.codes.redeem_link(RESET, token) is None

    on(postgres_url, work)


def test_of_any_number_of_guesses_at_a_code_five_are_looked_at(postgres_url: str) -> None:
    async def work(issuer: Issuer) -> None:
        key, code = await issuer.issue(Form.DIGITS)
        wrong = [f"{number:08}" for number in range(2_000) if f"{number:08}" != code]

        answers = await asyncio.gather(*(issuer.codes.redeem(RESET, key, guess) for guess in wrong))

        assert not any(answers)
        assert issuer.stored(key)[0] == TRIES_MAX
        assert not await issuer.codes.redeem(RESET, key, code)  # the right one is not looked at either
        assert issuer.stored(key)[0] == TRIES_MAX
        assert issuer.stored(key)[1] is None

    on(postgres_url, work)


def test_the_fifth_try_may_be_the_right_one(postgres_url: str) -> None:
    async def work(issuer: Issuer) -> None:
        key, code = await issuer.issue(Form.DIGITS)
        for _ in range(TRIES_MAX - 1):
            assert not await issuer.codes.redeem(RESET, key, "wrong")

        assert await issuer.codes.redeem(RESET, key, code)

    on(postgres_url, work)


def test_no_guess_uses_a_link_up(postgres_url: str) -> None:
    async def work(issuer: Issuer) -> None:
        key, token = await issuer.issue(Form.LINK)
        for guess in (token[:-1] + ("A" if token[-1] != "A" else "B"), "", "x" * 64, "é" * 64, token + "A", "\ud800"):
            assert await issuer.codes.redeem_link(RESET, guess) is None
        assert not await issuer.codes.redeem(RESET, key, token)

        assert await issuer.codes.redeem_link(RESET, token) == key

    on(postgres_url, work)


@pytest.mark.parametrize("form", Form)
def test_of_racing_uses_of_one_code_one_wins(postgres_url: str, form: Form) -> None:
    async def work(issuer: Issuer) -> None:
        key, code = await issuer.issue(form)
        if form is Form.LINK:
            links = await asyncio.gather(*(issuer.codes.redeem_link(RESET, code) for _ in range(8)))
            assert [link for link in links if link] == [key]
            return
        answers = await asyncio.gather(*(issuer.codes.redeem(RESET, key, code) for _ in range(8)))
        assert sorted(answers) == [False] * 7 + [True]

    on(postgres_url, work)


@pytest.mark.parametrize("form", Form)
def test_a_code_is_over_by_the_databases_clock_and_lasts_ten_minutes_at_most(postgres_url: str, form: Form) -> None:
    async def work(issuer: Issuer) -> None:
        code_id = uuid4()
        key, code = await issuer.issue(form, code_id=code_id)
        issuer.change(key, "issued_at = issued_at - interval '10 minutes', expires_at = clock_timestamp()")

        assert not await issuer.codes.redeem(RESET, key, code)
        assert await issuer.codes.redeem_link(RESET, code) is None
        assert issuer.enclosed(code_id) == {}  # and is not sent any more
        with pytest.raises(ValueError, match="at most"):
            await issuer.issue(form, lifetime=LIFETIME_MAX + timedelta(seconds=1))

    on(postgres_url, work)


@pytest.mark.parametrize("form", Form)
def test_a_new_code_replaces_the_one_before(postgres_url: str, form: Form) -> None:
    async def work(issuer: Issuer) -> None:
        first_id = uuid4()
        key, first = await issuer.issue(form, code_id=first_id)
        _, second = await issuer.issue(form, key)

        assert issuer.enclosed(first_id) == {}
        assert not await issuer.codes.redeem(RESET, key, first)
        assert await issuer.codes.redeem_link(RESET, first) is None
        assert await issuer.codes.redeem(RESET, key, second) or await issuer.codes.redeem_link(RESET, second) == key

    on(postgres_url, work)


def test_a_command_that_is_repeated_leaves_its_code_as_it_was_sent(postgres_url: str) -> None:
    async def work(issuer: Issuer) -> None:
        code_id = uuid4()
        key, sent = await issuer.issue(Form.LINK, code_id=code_id, to="ana@example.com")
        _, same = await issuer.issue(Form.LINK, key, code_id=code_id, to="eve@example.com")

        assert same == sent
        assert issuer.enclosed(code_id) == {code_id: Enclosed(sent, "ana@example.com")}
        assert await issuer.codes.redeem_link(RESET, sent) == key

    on(postgres_url, work)


def test_who_asks_again_waits_a_minute_and_who_guesses_until_the_code_is_over(postgres_url: str) -> None:
    async def work(issuer: Issuer) -> None:
        key, _ = await issuer.issue(Form.DIGITS)
        assert not await issuer.again(key)
        issuer.change(key, "issued_at = issued_at - interval '61 seconds'")
        assert await issuer.again(key)

        for _ in range(TRIES_MAX):
            await issuer.codes.redeem(RESET, key, "wrong")
        issuer.change(key, "issued_at = issued_at - interval '9 minutes'")
        assert not await issuer.again(key)
        issuer.change(key, "expires_at = clock_timestamp()")
        assert await issuer.again(key)

    on(postgres_url, work)


def test_of_those_who_ask_at_once_one_is_sent_a_code(postgres_url: str) -> None:
    async def work(issuer: Issuer) -> None:
        key = uuid4()
        assert sorted(await asyncio.gather(*(issuer.again(key) for _ in range(8)))) == [False] * 7 + [True]

    on(postgres_url, work)


@pytest.mark.parametrize("form", Form)
def test_what_is_kept_is_no_code(postgres_url: str, form: Form) -> None:
    async def work(issuer: Issuer) -> None:
        code_id = uuid4()
        key, code = await issuer.issue(form, code_id=code_id)
        _, sealed, digest, _ = issuer.stored(key)

        assert code.encode() not in sealed + digest
        with ConnectionPool(issuer.url, min_size=1) as pool, pytest.raises(VaultKeyWrong):
            SealedCodes(pool, Seal(b"another key of thirty-two bytes!")).enclosed([code_id])
        if form is Form.LINK:
            await issuer.codes.redeem_link(RESET, code)
        else:
            await issuer.codes.redeem(RESET, key, code)
        assert issuer.stored(key)[1] is None
        assert issuer.enclosed(code_id) == {}

    on(postgres_url, work)


def test_links_hold_256_random_bits_and_no_two_are_alike(postgres_url: str) -> None:
    async def work(issuer: Issuer) -> None:
        key = uuid4()
        tokens = {(await issuer.issue(Form.LINK, key))[1] for _ in range(50)}

        assert len(tokens) == 50
        assert {len(token) for token in tokens} == {64}  # 128 bits of key, 256 of chance
        assert len({token[22:] for token in tokens}) == 50

    on(postgres_url, work)
