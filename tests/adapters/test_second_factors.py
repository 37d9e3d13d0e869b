"""Second factors on a real PostgreSQL: that of racing uses of one code one wins. SECURITY.md rows 22 and 24."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pyotp
import pytest
from psycopg_pool import AsyncConnectionPool

from adapters.second_factors import STEP_S, PostgresSecondFactors
from adapters.vault import Seal
from application.second_factor import CODE_TRIES_MAX, Checked

NEAR_S = 8
Pool = AsyncConnectionPool[Any]

pytestmark = pytest.mark.security(22, 24)


class Device:
    """An authenticator app, and the second factor that it is of."""

    def __init__(self, url: str, pool: Pool) -> None:
        self.url = url
        self.factors = PostgresSecondFactors(pool, Seal(bytes(32)), secret=b"secret")
        self.account_id = uuid4()
        self.secret = ""
        # At the end of a step a code would be of the one before when it is looked at: wait for the next.
        left_s = STEP_S - time.time() % STEP_S
        time.sleep(left_s if left_s < NEAR_S else 0)

    async def enrolled(self) -> "Device":
        begun = await self.factors.begin(self.account_id, command_id=uuid4())
        assert begun
        self.secret = begun
        assert await self.factors.confirm(self.account_id, self.code(-1)) is Checked.BY_DEVICE
        return self

    def code(self, steps_off: int = 0) -> str:
        """By the database's clock, which is the machine's."""
        return pyotp.TOTP(self.secret).generate_otp(self.step() + steps_off)

    def step(self) -> int:
        with psycopg.connect(self.url) as connection:
            row = connection.execute("SELECT extract(epoch FROM clock_timestamp())::int").fetchone()
        assert row
        return int(row[0]) // STEP_S

    async def checks(self, code: str) -> Checked:
        return await self.factors.check(self.account_id, code)


def on(postgres_url: str, work: Callable[[Device], Awaitable[None]]) -> None:
    async def run() -> None:
        async with AsyncConnectionPool(postgres_url, min_size=1, max_size=8, open=False) as pool:
            await work(Device(postgres_url, pool))

    asyncio.run(run())


def test_a_code_of_a_moment_ago_or_ahead_is_good_and_each_but_once_in_order(postgres_url: str) -> None:
    async def work(device: Device) -> None:
        await device.enrolled()

        assert await device.checks(device.code(-1)) is Checked.WRONG  # it confirmed the device
        assert await device.checks(device.code(-3)) is Checked.WRONG
        assert await device.checks(device.code(+3)) is Checked.WRONG
        ahead = device.code(+1)
        assert await device.checks(ahead) is Checked.BY_DEVICE
        assert await device.checks(ahead) is Checked.WRONG
        assert await device.checks(device.code()) is Checked.WRONG  # one before the last that was used

    on(postgres_url, work)


def test_of_racing_uses_of_one_code_one_wins(postgres_url: str) -> None:
    async def work(device: Device) -> None:
        await device.enrolled()
        code = device.code()

        answers = await asyncio.gather(*(device.checks(code) for _ in range(5)))

        assert answers.count(Checked.BY_DEVICE) == 1

    on(postgres_url, work)


def test_of_racing_uses_of_one_recovery_code_one_wins(postgres_url: str) -> None:
    async def work(device: Device) -> None:
        await device.enrolled()
        [code, *_] = await device.factors.renew_recovery_codes(device.account_id, command_id=uuid4())

        answers = await asyncio.gather(*(device.checks(code) for _ in range(5)))

        assert answers.count(Checked.BY_RECOVERY_CODE) == 1
        assert await device.factors.recovery_codes_left(device.account_id) == 9

    on(postgres_url, work)


def test_of_racing_guesses_so_many_are_looked_at_and_no_more(postgres_url: str) -> None:
    async def work(device: Device) -> None:
        await device.enrolled()

        answers = await asyncio.gather(*(device.checks("wrong") for _ in range(50)))

        assert answers.count(Checked.WRONG) == CODE_TRIES_MAX
        assert answers.count(Checked.TOO_MANY) == 50 - CODE_TRIES_MAX
        assert await device.checks(device.code()) is Checked.TOO_MANY

    on(postgres_url, work)


def test_a_secret_can_be_begun_again_until_it_is_confirmed(postgres_url: str) -> None:
    async def work(device: Device) -> None:
        command_id, account_id = uuid4(), device.account_id
        first = await device.factors.begin(account_id, command_id=command_id)
        assert await device.factors.begin(account_id, command_id=command_id) == first
        assert not await device.factors.is_enrolled(account_id)

        second = await device.factors.begin(account_id, command_id=uuid4())

        assert second != first
        assert second
        device.secret = second
        assert await device.checks(device.code()) is Checked.WRONG  # it signs nobody in yet
        assert await device.factors.confirm(account_id, device.code()) is Checked.BY_DEVICE
        assert await device.factors.is_enrolled(account_id)
        assert await device.factors.begin(account_id, command_id=uuid4()) is None

    on(postgres_url, work)


def test_recovery_codes_have_80_random_bits_and_are_those_of_their_account_alone(postgres_url: str) -> None:
    async def work(device: Device) -> None:
        await device.enrolled()
        codes = await device.factors.renew_recovery_codes(device.account_id, command_id=uuid4())
        assert len(set(codes)) == 10
        assert {len(code.replace("-", "")) for code in codes} == {16}  # of base32
        other = await Device(device.url, device.factors._pool).enrolled()

        assert await other.checks(codes[0]) is Checked.WRONG
        assert await other.factors.check(UUID(int=0), codes[0]) is Checked.WRONG
        for strange in ("", "x" * 10_000, "\ud800", "１２３４５６", "-" * 9):
            another = await Device(device.url, device.factors._pool).enrolled()
            assert await another.checks(strange) is Checked.WRONG

    on(postgres_url, work)
