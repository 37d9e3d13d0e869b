"""Which sessions are over is known without asking, and who cannot know lets nobody in: SECURITY.md row 29."""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass, field
from uuid import UUID, uuid4

import pytest

from application.ended_sessions import (
    LOOK_EVERY_S,
    RECENT_S,
    TOKENS_LAST_S,
    UNKNOWN_AFTER_S,
    EndedSessions,
    SessionOver,
    SessionsUnavailable,
    SessionsUnknown,
)
from domain.account import Role
from domain.permissions import Actor
from tests.waiting import until

pytestmark = pytest.mark.security(29)


@dataclass
class Store:
    """Of sessions, by when they ended; with its own clock, and the process's."""

    now: float = 1_000.0
    ended: dict[UUID, float] = field(default_factory=dict)
    away: bool = False
    asked: list[float] = field(default_factory=list)

    def monotonic(self) -> float:
        return self.now

    async def over_within(self, seconds: float) -> Collection[UUID]:
        if self.away:
            raise SessionsUnavailable
        self.asked.append(seconds)
        return [one for one, at in self.ended.items() if self.now - seconds <= at <= self.now]


def someone() -> Actor:
    return Actor(uuid4(), uuid4(), uuid4(), Role.STAFF, session_id=uuid4())


def ended(store: Store, actor: Actor) -> None:
    assert actor.session_id
    store.ended[actor.session_id] = store.now


def on(work: object) -> None:
    asyncio.run(work)  # type: ignore[arg-type]


def test_who_has_signed_out_is_refused_and_everybody_else_is_not() -> None:
    async def work() -> None:
        store, gone, staying = Store(), someone(), someone()
        known = EndedSessions(store, store.monotonic)
        await known.look()
        known.ensure_goes_on(gone)
        ended(store, gone)

        await known.look()

        with pytest.raises(SessionOver) as over:
            known.ensure_goes_on(gone)
        assert over.value.actor == gone
        known.ensure_goes_on(staying)

    on(work())


def test_nobody_is_let_in_before_the_first_look_nor_long_after_the_last() -> None:
    async def work() -> None:
        store, actor = Store(), someone()
        known = EndedSessions(store, store.monotonic)
        with pytest.raises(SessionsUnknown):
            known.ensure_goes_on(actor)
        await known.look()
        known.ensure_goes_on(actor)
        store.away, store.now = True, store.now + UNKNOWN_AFTER_S
        known.ensure_goes_on(actor)
        with pytest.raises(SessionsUnavailable):
            await known.look()

        store.now += 0.1

        with pytest.raises(SessionsUnknown):
            known.ensure_goes_on(actor)
        store.away = False
        await known.look()
        known.ensure_goes_on(actor)

    on(work())


def test_who_could_not_look_for_long_looks_back_as_far_as_tokens_last() -> None:
    async def work() -> None:
        store, gone = Store(), someone()
        known = EndedSessions(store, store.monotonic)
        await known.look()
        ended(store, gone)
        store.now += 5 * RECENT_S

        await known.look()

        with pytest.raises(SessionOver):
            known.ensure_goes_on(gone)
        store.now += LOOK_EVERY_S
        await known.look()
        assert store.asked == [TOKENS_LAST_S, TOKENS_LAST_S, RECENT_S]

    on(work())


def test_an_ending_is_remembered_as_long_as_its_tokens_may_last_and_no_longer() -> None:
    async def work() -> None:
        store, gone = Store(), someone()
        known = EndedSessions(store, store.monotonic)
        ended(store, gone)
        await known.look()
        for _ in range(round(TOKENS_LAST_S / LOOK_EVERY_S)):
            store.now += LOOK_EVERY_S
            await known.look()
            with pytest.raises(SessionOver):
                known.ensure_goes_on(gone)

        store.now += LOOK_EVERY_S
        await known.look()

        assert len(known) == 0

    on(work())


def test_a_hint_is_followed_at_once_and_a_store_that_is_away_is_asked_again() -> None:
    async def work() -> None:
        store, gone, going = Store(), someone(), someone()
        known = EndedSessions(store, store.monotonic)
        running = asyncio.create_task(known.run())
        ended(store, gone)
        known.wake()
        async with asyncio.timeout(LOOK_EVERY_S / 2):
            await until(lambda: len(known) == 1)
        store.away = True
        ended(store, going)
        known.wake()
        await asyncio.sleep(0.01)
        assert len(known) == 1
        store.away = False

        await until(lambda: len(known) == 2)

        running.cancel()

    on(work())
