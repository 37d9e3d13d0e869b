"""The supervisor keeps programs running and leaves none behind."""

import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread

import pytest

from infra import supervisor as supervising
from infra.program import Program
from infra.supervisor import NotReady, Supervisor

WAIT_S = 10.0


def script(name: str, code: str) -> Program:
    return Program(name, (sys.executable, "-u", "-c", code))


def eventually(question: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + WAIT_S
    while not question():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A killed orphan may wait for init as a zombie: it is dead all the same.
    stat = Path(f"/proc/{pid}/stat")
    return not (stat.exists() and stat.read_text().rpartition(")")[2].split()[0] == "Z")


@pytest.fixture
def said() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def supervisor(said: io.StringIO) -> Iterator[Supervisor]:
    supervisor = Supervisor(said)
    yield supervisor
    supervisor.stop()


def test_each_line_carries_the_name_of_its_program(supervisor: Supervisor, said: io.StringIO) -> None:
    supervisor.start(script("relay", "print('published 3 facts'); import time; time.sleep(60)"))

    assert eventually(lambda: "relay      │ published 3 facts\n" in said.getvalue())


def test_a_program_that_died_is_started_again(
    supervisor: Supervisor, said: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervising, "BACKOFF_FIRST_S", 0.1)
    supervisor.start(script("notify", "import os, time; print('pid', os.getpid()); time.sleep(60)"))
    assert eventually(lambda: "pid" in said.getvalue())
    first = int(said.getvalue().split("pid ")[1].split()[0])
    running = Thread(target=supervisor.run)
    running.start()

    os.kill(first, signal.SIGKILL)

    assert eventually(lambda: said.getvalue().count("pid") == 2)
    assert "notify was ended by SIGKILL; starting it again in 0.1 s" in said.getvalue()
    supervisor.ask_to_stop()
    running.join(WAIT_S)


def test_each_death_in_a_row_doubles_the_wait(
    supervisor: Supervisor, said: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervising, "BACKOFF_FIRST_S", 0.05)
    supervisor.start(script("relay", "raise SystemExit(1)"))
    running = Thread(target=supervisor.run)
    running.start()

    waits = ("in 0.05 s", "in 0.1 s", "in 0.2 s", "in 0.4 s")
    assert eventually(lambda: all(wait in said.getvalue() for wait in waits))

    supervisor.ask_to_stop()
    running.join(WAIT_S)


def test_a_wrong_setting_stops_everything(supervisor: Supervisor, said: io.StringIO) -> None:
    supervisor.start(script("serve", "raise SystemExit(2)"))

    assert supervisor.run() == 2
    assert "serve cannot run with these settings" in said.getvalue()


def test_a_program_that_is_never_ready_is_told_of(supervisor: Supervisor) -> None:
    with pytest.raises(NotReady, match="postgres ended with code 3 before it was ready"):
        supervisor.start(script("postgres", "raise SystemExit(3)"), ready=lambda: False)


def test_servers_stop_after_the_programs_that_use_them(supervisor: Supervisor, said: io.StringIO) -> None:
    code = "import signal, sys, time\nsignal.signal(15, lambda *_: (print('bye'), sys.exit()))\nprint('up')\n"
    supervisor.start(script("server", code + "time.sleep(60)"), lambda: "server     │ up" in said.getvalue(), tier=0)
    supervisor.start(script("client", code + "time.sleep(60)"), lambda: "client     │ up" in said.getvalue(), tier=1)

    supervisor.stop()

    assert said.getvalue().index("client     │ bye") < said.getvalue().index("server     │ bye")


def test_one_that_ignores_the_signal_is_killed_with_all_that_it_started(
    supervisor: Supervisor, said: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervising, "STOPS_WITHIN_S", 0.3)
    code = (
        "import os, signal, subprocess, sys, time\nsignal.signal(15, signal.SIG_IGN)\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "print('pids', os.getpid(), child.pid)\ntime.sleep(60)"
    )
    supervisor.start(script("stubborn", code))
    assert eventually(lambda: "pids" in said.getvalue())
    pids = [int(word) for word in said.getvalue().split("pids ")[1].split()[:2]]

    supervisor.stop()

    assert "stubborn did not stop; killing it" in said.getvalue()
    assert eventually(lambda: not any(alive(pid) for pid in pids))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells children of their parent's death")
def test_children_end_even_if_the_supervisor_is_killed(tmp_path: Path) -> None:
    code = (
        "import sys, time\nfrom infra.program import Program\nfrom infra.supervisor import Supervisor\n"
        "s = Supervisor(sys.stdout)\n"
        "s.start(Program('child', (sys.executable, '-u', '-c',"
        " 'import os, time; print(\"pid\", os.getpid()); time.sleep(60)')))\n"
        "s.run()\n"
    )
    parent = subprocess.Popen([sys.executable, "-u", "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout
    child_pid = int(parent.stdout.readline().split("pid ")[1])

    parent.kill()
    parent.wait()
    parent.stdout.close()

    assert eventually(lambda: not alive(child_pid))
