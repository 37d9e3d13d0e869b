"""What is done to the stack, and how long it takes to serve again."""

import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import psycopg
import redis

from infra.demo_client import Client, Unanswered
from tests.torture.schedule import Fault
from tests.torture.signing_in import fetched
from tests.torture.stack import TortureStack, restart_postgres
from tests.torture.world import World

PAUSED_FOR_S = 8.0
"""Longer than a session at the broker lasts."""
SERVES_WITHIN_S = 120.0
DISK_IS_FULL_FOR_S = 3.0
SKEW = "+300s"
SKEWED_FOR_S = 4.0
LOOKS_EVERY_S = 0.05
_CHECKPOINTS = {"notify": "deliveries", "timekeeper": "timers"}

BOUNDS_S = {"kill": 3.0, "stop_postgres": 5.0, "wipe_broker": 60.0}
"""What row 11 promises."""


class NotServing(AssertionError):  # noqa: N818
    """The stack did not serve again by itself."""


@dataclass(slots=True)
class Nemesis:
    """``recovery_s`` by kind of fault; ``left_out`` with the reason.

    ``wiped_at``: where the journal was once a wiped broker served again.
    """

    stack: TortureStack
    world: World
    small_disk: bool
    recovery_s: dict[str, list[float]] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    done: dict[str, int] = field(default_factory=dict)
    wiped_at: int = 0
    _token: str = ""

    def strike(self, fault: Fault) -> float | None:
        """Do it, wait until the stack serves again; seconds from the end of the fault on, None where left out."""
        why = self._impossible(fault)
        if why:
            self.left_out[fault.what] = why
            return None
        began = getattr(self, f"_{fault.what}")(fault.whom)
        took_s = self._await_serving(fault, began)
        self.done[fault.what] = self.done.get(fault.what, 0) + 1
        self.recovery_s.setdefault(fault.what, []).append(took_s)
        if fault.what == "wipe_broker":
            while not self.stack.shows_its_topic():
                self.left_out["broker"] = "it was started once more: Tansu 0.6 did not show the end of the topic"
                self._wipe_broker("")
            with self.stack.connect() as connection:
                self.wiped_at = self.stack.head(connection)
        return took_s

    def _impossible(self, fault: Fault) -> str | None:
        if fault.what == "fill_disk" and not self.small_disk:
            return "the system does not let us mount a small disk"
        if fault.what == "skew_clock" and _faketime() is None:
            return "libfaketime is not here"
        return None

    # The faults: each answers the moment from which recovery is counted

    def _kill(self, whom: str) -> float:
        began = time.monotonic()
        self.stack.running.restart(whom)
        return began

    def _pause(self, whom: str) -> float:
        process = self.stack.running.process_id(whom)
        os.kill(process, signal.SIGSTOP)
        try:
            time.sleep(PAUSED_FOR_S)
        finally:
            os.kill(process, signal.SIGCONT)
        return time.monotonic()

    def _lose_commit(self, _whom: str) -> float:
        return _strike_of(lambda: self.stack.database.cutter.lost, self.stack.database.cutter.lose_next)

    def _lose_provider_answer(self, _whom: str) -> float:
        return _strike_of(lambda: self.stack.provider.cutter.lost, self.stack.provider.cutter.lose_next)

    def _cut_database(self, _whom: str) -> float:
        self.stack.database.cut_all()
        return time.monotonic()

    def _stop_postgres(self, _whom: str) -> float:
        began = time.monotonic()
        restart_postgres(self.stack, signal.SIGQUIT)  # "immediate": no checkpoint, recovery at the next start
        return began

    def _wipe_broker(self, _whom: str) -> float:
        began = time.monotonic()
        self.stack.servers.wipe_broker()
        return began

    def _wipe_redis(self, _whom: str) -> float:
        began = time.monotonic()
        with redis.Redis.from_url(self.stack.servers.redis_url) as client:
            client.flushall()
        self.stack.servers.restart("valkey", signal.SIGKILL)
        return began

    def _second_relay(self, _whom: str) -> float:
        """It waits; the first is stopped for a while, so both believe that they lead when it wakes."""
        self.stack.running.start("relay:2")
        time.sleep(2.5)
        first = self.stack.running.process_id("relay")
        os.kill(first, signal.SIGSTOP)
        time.sleep(2.0)
        os.kill(first, signal.SIGCONT)
        self.stack.running.restart("relay")  # now the second leads
        time.sleep(2.0)
        began = time.monotonic()
        self.stack.running.end("relay:2")
        return began

    def _fill_disk(self, _whom: str) -> float:
        self.stack.fill_disk()
        try:
            time.sleep(DISK_IS_FULL_FOR_S)
        finally:
            self.stack.free_disk()
        began = time.monotonic()
        if not self._postgres_lives():
            restart_postgres(self.stack, signal.SIGQUIT)
        return began

    def _skew_clock(self, whom: str) -> float:
        skewed = {"LD_PRELOAD": str(_faketime()), "FAKETIME": SKEW, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
        self.stack.running.restart(whom, **skewed)
        time.sleep(SKEWED_FOR_S)
        began = time.monotonic()
        self.stack.running.restart(whom)
        return began

    # Whether it serves

    def _await_serving(self, fault: Fault, began: float) -> float:
        """A command at each API process, and a read of it at the other; then whatever else was struck keeps up."""
        deadline = time.monotonic() + SERVES_WITHIN_S
        position = 0
        for at, url in enumerate(self.stack.urls):
            while not (position := self._commands(url)):
                self._look_on(fault, deadline, f"{url} takes no command")
            while not self._reads(self.stack.urls[at - 1], position):
                self._look_on(fault, deadline, f"what was done at {url} is not read at the other")
        schema = _CHECKPOINTS.get(fault.whom)
        while schema and not self._has_come_to(schema, position):
            self._look_on(fault, deadline, f"{fault.whom} does not come to {position}")
        return time.monotonic() - began

    def _look_on(self, fault: Fault, deadline: float, what: str) -> None:
        self.stack.revive()
        if time.monotonic() > deadline:
            raise NotServing(f"{what} after {fault.what} {fault.whom}".strip())
        time.sleep(LOOKS_EVERY_S)

    def _commands(self, url: str) -> int:
        try:
            if not self._token:
                self._token = fetched(url, self.world.email)
            client = Client(url, self._token)
            client.post("/v1/customers", {"display_name": "Probe"}, key=str(uuid4()))
        except (Unanswered, OSError, ValueError) as failed:
            if "401" in str(failed):
                self._token = ""
            return 0
        return int(client._position)

    def _reads(self, url: str, position: int) -> bool:
        with suppress(Unanswered, OSError, ValueError):
            Client(url, self._token, str(position))._call(
                "GET", "/v1/customers?limit=1", None, {"Journal-Position": str(position)}
            )
            return True
        return False

    def _has_come_to(self, schema: str, position: int) -> bool:
        with suppress(psycopg.Error), self.stack.connect() as connection:
            found = connection.execute(f"SELECT max(position) FROM {schema}.checkpoint").fetchone()
            return bool(found and (found[0] or 0) >= position)
        return False

    def _postgres_lives(self) -> bool:
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            with suppress(psycopg.Error), self.stack.connect():
                return True
            time.sleep(0.1)
        return False


def _strike_of(lost: Callable[[], int], lose_next: Callable[[], None]) -> float:
    """Armed, until the next one that passes is lost; there may be none for a while."""
    before = lost()
    lose_next()
    deadline = time.monotonic() + 5
    while lost() == before and time.monotonic() < deadline:
        threading.Event().wait(0.01)
    return time.monotonic()


def _faketime() -> Path | None:
    return next(iter(sorted(Path("/usr/lib").glob("**/faketime/libfaketime.so.1"))), None)
