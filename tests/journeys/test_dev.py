"""``daybook dev``: one command, a clinic to look at, data that survives, and nothing left behind."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from uuid import uuid4

import pytest

from infra.demo import DESK, PASSWORD
from infra.program import free_port
from tests.journeys.visitor import Visitor
from tests.running import processes_of

READY_WITHIN_S = 120.0
STOPS_WITHIN_S = 60.0


@dataclass
class Dev:
    """A running ``daybook dev`` and what it has said so far."""

    process: subprocess.Popen[str]
    url: str
    said: list[str]

    def listen(self) -> None:
        assert self.process.stdout
        self.said.extend(self.process.stdout)

    def await_line(self, text: str) -> None:
        deadline = time.monotonic() + READY_WITHIN_S
        while not any(text in line for line in self.said):
            assert self.process.poll() is None, "".join(self.said)
            assert time.monotonic() < deadline, "".join(self.said)
            time.sleep(0.1)


@pytest.fixture
def data_dir() -> Iterator[Path]:
    # Where PostgreSQL's own user can reach it too; pytest's directories are 0700.
    where = Path(tempfile.mkdtemp(prefix="daybook-dev-", dir="/tmp"))
    yield where
    shutil.rmtree(where)


@contextmanager
def dev(data_dir: Path, mark: str) -> Iterator[Dev]:
    """From the moment when it is ready until it is gone, whichever way it went."""
    port = free_port()
    argv = [sys.executable, "-m", "infra.cli", "dev", "--port", str(port), "--data-dir", str(data_dir)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DAYBOOK_")}
    process = subprocess.Popen(
        argv,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**environment, "DAYBOOK_TEST_MARK": mark},
    )
    running = Dev(process, f"http://127.0.0.1:{port}", [])
    Thread(target=running.listen, daemon=True).start()
    try:
        running.await_line("Ctrl-C stops everything")
        yield running
    finally:
        process.kill()
        process.wait()


def at_the_desk(running: Dev) -> Visitor:
    return Visitor(running.url).signed_in(DESK, PASSWORD)


def the_clinic_shows(desk: Visitor) -> dict[str, int]:
    visits, [course], [waiting] = (desk.get(path)["items"] for path in ("/appointments", "/series", "/waitlist"))
    assert waiting["status"] == "waiting"
    return {
        "pool of": len(desk.get("/pools")["items"][0]["resource_ids"]),
        "visits": len(visits),
        "guests of the class": sum("session_id" in visit for visit in visits),
        "visits of the series": sum(visit.get("series_id") == course["id"] for visit in visits),
        "first in line": waiting["place"],
    }


def eventually_none_of(mark: str) -> bool:
    deadline = time.monotonic() + STOPS_WITHIN_S
    while processes_of(mark):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere children outlive a killed supervisor")
def test_data_survives_a_kill_and_a_stop_although_the_broker_forgets(data_dir: Path) -> None:
    mark = uuid4().hex

    # given a clinic with its first visits, on a stack that is killed without a chance to tidy up
    with dev(data_dir, mark) as first:
        desk = at_the_desk(first)
        before = desk.get("/appointments")["items"]
        shown = the_clinic_shows(desk)
        customer = desk.post("/customers", {"display_name": "Someone"})
        first.process.kill()
        assert eventually_none_of(mark)
    assert shown == {
        "pool of": 2,
        "visits": 11,
        "guests of the class": 3,
        "visits of the series": 6,
        "first in line": 1,
    }

    # when it is started again
    with dev(data_dir, mark) as again:
        desk = at_the_desk(again)

        # then all is as it was, the clinic was not set up twice, and what is new arrives
        assert desk.get("/appointments")["items"] == before
        assert desk.get(f"/customers/{customer['id']}")["display_name"] == "Someone"
        newcomer = desk.post("/customers", {"display_name": "Newcomer"})
        assert newcomer["id"] in [item["id"] for item in desk.get("/customers", limit=200)["items"]]
        assert _organization_of(again) == _organization_of(first)

        # and Ctrl-C stops it, cleanly and whole
        again.process.send_signal(signal.SIGINT)
        assert again.process.wait(STOPS_WITHIN_S) == 0, "".join(again.said)
        assert processes_of(mark) == []
        assert not any("did not stop" in line for line in again.said), "".join(again.said)


def test_a_second_stack_on_the_same_data_is_refused(data_dir: Path) -> None:
    import fcntl

    with (data_dir / "lock").open("a+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write("4711")
        lock.flush()

        done = subprocess.run(
            [sys.executable, "-m", "infra.cli", "dev", "--data-dir", str(data_dir)],
            capture_output=True,
            text=True,
            check=False,
        )

    assert done.returncode == 2
    assert done.stderr == f"daybook: DATA_DIR: {data_dir} is in use by process 4711; stop it or choose another\n"


def _organization_of(running: Dev) -> str:
    found = re.search(r"organization +([0-9a-f-]{36})", "".join(running.said))
    assert found
    return found[1]
