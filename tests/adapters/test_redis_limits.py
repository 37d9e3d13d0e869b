"""Counts in a real Valkey: shared windows, exact doors, buckets that fill again."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
import redis

from adapters.redis_limits import RedisLimits
from application.rate_limits import Limit, LimitsUnavailable, Tell
from application.sign_in import SecondFactorNeeded, SecondFactorRefused
from application.sign_in_tries import PAIR, Bucket, Threshold, TooManyTries, Try

NOWHERE = "redis://127.0.0.1:1/0"
SLOW = Bucket(3, 1_000)


def running(url: str, scenario: Callable[[RedisLimits], Awaitable[None]]) -> None:
    async def run() -> None:
        limits = RedisLimits(url)
        try:
            await scenario(limits)
        finally:
            await limits.close()

    asyncio.run(run())


def test_what_processes_count_adds_up_and_is_forgotten_in_time(valkey_url: str) -> None:
    async def scenario(limits: RedisLimits) -> None:
        tell = Tell("account:a:7", "account:a:6", 4, 20)
        assert await limits.add([tell]) == [(4, 0)]
        assert await limits.add([tell, Tell("account:a:8", "account:a:7", 1, 20)]) == [(8, 0), (1, 8)]

    running(valkey_url, scenario)
    with redis.Redis.from_url(valkey_url) as client:
        keys = list(client.scan_iter())
        assert len(keys) == 2
        assert all(0 < int(client.ttl(key)) <= 20 for key in keys)


def test_a_door_lets_in_exactly_so_many_and_says_when_to_come_again(valkey_url: str) -> None:
    async def scenario(limits: RedisLimits) -> None:
        door = Limit("sign-up", 3, 60)
        waits = await asyncio.gather(*(limits.knock(door, "a") for _ in range(20)))
        assert sorted(waits)[:3] == [0, 0, 0]
        assert all(1 <= wait <= 60 for wait in sorted(waits)[3:])
        assert await limits.knock(door, "b") == 0

    running(valkey_url, scenario)


def test_tries_made_at_once_pay_one_by_one(valkey_url: str) -> None:
    async def scenario(limits: RedisLimits) -> None:
        async def spend() -> bool:
            tried = await limits.spend("k", ("own", SLOW), (("pair", SLOW),), trusted=False)
            return tried.wait_s == 0

        assert sum(await asyncio.gather(*(spend() for _ in range(50)))) == 3

    running(valkey_url, scenario)


def test_one_empty_bucket_refuses_and_costs_the_others_nothing(valkey_url: str) -> None:
    async def scenario(limits: RedisLimits) -> None:
        async def spend(*strangers: tuple[str, Bucket]) -> bool:
            return (await limits.spend("k", ("own", SLOW), strangers, trusted=False)).wait_s == 0

        assert [await spend(("empty", Bucket(1, 1_000))) for _ in range(2)] == [True, False]
        refused = [await spend(("full", SLOW), ("empty", Bucket(1, 1_000))) for _ in range(9)]
        assert refused == [False] * 9
        assert [await spend(("full", SLOW)) for _ in range(4)] == [True, True, True, False]

    running(valkey_url, scenario)


def test_success_makes_the_address_known_and_gives_back_what_the_try_cost(valkey_url: str) -> None:
    async def scenario(limits: RedisLimits) -> None:
        strangers = (("pair", SLOW), ("all", SLOW))
        for _ in range(9):  # an owner who signs in again and again is never in the way of others
            tried = await limits.spend("k", ("own", SLOW), strangers, trusted=False)
            assert tried.wait_s == 0
            await limits.succeed("k", tried.spent)
            assert [name for name, _ in (await limits.spend("k", ("own", SLOW), strangers, trusted=False)).spent] == [
                "own"
            ]
            await limits.succeed("other", (("own", SLOW),))
            await limits.succeed("nobody", ())

    running(valkey_url, scenario)


@pytest.mark.security(21, 22)
def test_the_right_password_without_a_code_is_no_failed_try_and_a_wrong_code_is_one(valkey_url: str) -> None:
    async def scenario(limits: RedisLimits) -> None:
        threshold, ana = Threshold(limits, b"secret"), Try("ana@clinic.test", "a")

        async def half() -> None:
            raise SecondFactorNeeded

        async def wrong_code() -> None:
            raise SecondFactorRefused

        # Given someone who comes in two steps, again and again
        for _ in range(50):
            with pytest.raises(SecondFactorNeeded):
                await threshold.crossed(ana, half)

        # When codes are guessed, with and without a first step before each
        looked_at = 0
        for _ in range(50):
            with pytest.raises((SecondFactorRefused, TooManyTries)) as refusal:
                await threshold.crossed(ana, wrong_code)
            looked_at += refusal.type is SecondFactorRefused
            with pytest.raises((SecondFactorNeeded, TooManyTries)):
                await threshold.crossed(ana, half)

        # Then as many are looked at as of passwords
        assert PAIR.burst <= looked_at <= PAIR.burst + 2

    running(valkey_url, scenario)


def test_while_redis_is_away_nobody_tries_and_nobody_waits_long() -> None:
    async def scenario(limits: RedisLimits) -> None:
        threshold, asked = Threshold(limits, b"secret"), 0

        async def evaluate() -> None:
            nonlocal asked
            asked += 1

        async with asyncio.timeout(3):
            with pytest.raises(LimitsUnavailable):
                await threshold.crossed(Try("ana@clinic.test", "a"), evaluate)
            with pytest.raises(LimitsUnavailable):
                await limits.knock(Limit("sign-up", 3, 60), "a")
            with pytest.raises(LimitsUnavailable):
                await limits.add([Tell("a", "b", 1, 1)])
        assert asked == 0

    running(NOWHERE, scenario)


@pytest.mark.security(21)
def test_a_thousand_tries_from_many_addresses_are_hardly_evaluated_and_the_owner_signs_in(valkey_url: str) -> None:
    async def scenario(limits: RedisLimits) -> None:
        threshold = Threshold(limits, b"secret")
        evaluated = 0

        async def wrong() -> None:
            nonlocal evaluated
            evaluated += 1
            raise LookupError

        async def right() -> str:
            return "welcome"

        # Given an owner who has signed in at home, and on a telephone
        assert await threshold.crossed(Try("ana@clinic.test", "home"), right) == "welcome"
        telephone = threshold.cookie("ana@clinic.test")

        # When a bot tries a thousand times from a thousand addresses
        for number in range(1_000):
            with pytest.raises((LookupError, TooManyTries)):
                await threshold.crossed(Try("ana@clinic.test", f"address {number}"), wrong)

        # Then hardly any password was looked at, and the owner signs in at once: at home, and anywhere by telephone
        assert evaluated <= 25
        assert await threshold.crossed(Try("Ana@Clinic.test ", "home"), right) == "welcome"
        assert await threshold.crossed(Try("ana@clinic.test", "abroad", telephone), right) == "welcome"
        # On a device that is new to the account the owner has to wait, but not for long.
        with pytest.raises(TooManyTries) as refusal:
            await threshold.crossed(Try("ana@clinic.test", "an internet café"), right)
        assert refusal.value.retry_after_s <= 10
        # Other accounts are none the wiser.
        assert await threshold.crossed(Try("rui@clinic.test", "elsewhere"), right) == "welcome"

    running(valkey_url, scenario)


@pytest.mark.security(21)
def test_a_cookie_of_another_account_or_a_forged_one_is_worth_nothing(valkey_url: str) -> None:
    async def scenario(limits: RedisLimits) -> None:
        threshold = Threshold(limits, b"secret")
        mine, others = threshold.cookie("bot@clinic.test"), Threshold(limits, b"guess").cookie("ana@clinic.test")
        evaluated = 0

        async def wrong() -> None:
            nonlocal evaluated
            evaluated += 1
            raise LookupError

        for number, cookie in enumerate([mine, others, "", ".", "ä.ö", "0" * 32 + ".", mine.replace(".", "")] * 10):
            with pytest.raises((LookupError, TooManyTries)):
                await threshold.crossed(Try("ana@clinic.test", f"{number}", cookie), wrong)
        assert evaluated <= 23

    running(valkey_url, scenario)
