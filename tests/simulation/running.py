"""One run: two houses, clients, every process of the pipeline, whatever fate has for them; then calm, then judged."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from tests.simulation.checks import on_topic, wrongs
from tests.simulation.clients import Client, Told, timekeeper
from tests.simulation.fate import Fate
from tests.simulation.houses import houses
from tests.simulation.loop import VirtualLoop
from tests.simulation.processes import APIS, FOLLOWERS, RELAYS, Api, House, follower, relay

CLIENTS, COMMANDS = 4, 3
REBALANCED_EVERY_S = 4.0
CAUGHT_UP_WITHIN_S = 120.0


@dataclass(frozen=True, slots=True)
class Outcome:
    seed: int
    trace: str
    """SHA-256 of all that happened, in its order."""
    wrongs: list[str]
    crashes: Counter[str]
    lines: list[str]


def simulate(seed: int, *, traced: bool = False) -> Outcome:
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(seed)) as runner:
        fate = Fate(seed, runner.get_loop().time, traced=traced)
        found = runner.run(_run(fate))
    return Outcome(seed, fate.trace(), found, fate.crashes, fate.lines)


async def _run(fate: Fate) -> list[str]:
    house, told = House(fate), list[Told]()
    at, begun = houses()
    await house.journal.append(begun)
    apis = [Api(house, f"api {number}") for number in range(APIS)]
    shares = house.shares()

    def share_of(number: int) -> Callable[[], frozenset[int]]:
        return lambda: shares[number]

    async def troubles() -> None:
        """What befalls no process of ours."""
        while not fate.is_calm:
            await asyncio.sleep(fate.random.uniform(0.0, REBALANCED_EVERY_S))
            shares[:] = house.shares()
            fate.note(f"shared out as {[sorted(one) for one in shares]}")
            if fate.strikes(10):
                fate.note("the broker is wiped")
                house.broker.wipe()
                house.was_wiped = True

    loop = asyncio.get_running_loop()
    keepers = [Client(-1 - number, house, apis, one, told) for number, one in enumerate(at)]
    writing = [loop.create_task(timekeeper(one)) for one in keepers]
    behind = [
        *(loop.create_task(relay(house, f"relay {number}")) for number in range(RELAYS)),
        *(loop.create_task(follower(house, number, share_of(number))) for number in range(FOLLOWERS)),
        loop.create_task(troubles()),
    ]
    clients = [Client(number, house, apis, at[number % len(at)], told) for number in range(CLIENTS)]
    for task in [loop.create_task(client.run(COMMANDS)) for client in clients]:
        await task
    fate.is_calm = True
    for task in writing:
        await task
    late = await _caught_up(house)
    house.is_over = True
    for task in behind:
        await task
    for api in apis:
        api.stop()
    return [*late, *wrongs(house, told)]


async def _caught_up(house: House) -> list[str]:
    loop = asyncio.get_running_loop()
    until = loop.time() + CAUGHT_UP_WITHIN_S
    while min(house.database.rows.checkpoint.values()) < house.journal.head() or any(on_topic(house)):
        if loop.time() > until:
            return [f"not caught up: {house.database.rows.checkpoint} of {house.journal.head()}"]
        await asyncio.sleep(0.5)
    return []
