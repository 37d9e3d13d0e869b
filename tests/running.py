"""Daybook as it runs: every process a real one, on the embedded servers of the test run."""

import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from infra import development
from infra.embedded import EmbeddedStack
from infra.program import Process, Program, free_port, listens, stop
from infra.whole_stack import answers

READY_WITHIN_S = 60.0
STOP_WITHIN_S = 15.0


@dataclass
class RunningStack:
    """``urls`` of the API processes, ``outbox_url`` of the stand-in for the providers."""

    environment: dict[str, str]
    logs: Path
    urls: list[str] = field(default_factory=list)
    outbox_url: str = ""
    modules: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """By verb: the module, with its arguments, that a process is started by instead of Daybook's own."""
    _running: dict[str, tuple[Program, Process]] = field(default_factory=dict)

    def start(self, name: str, *arguments: str, **environment: str) -> None:
        """Start a process; ``name`` is a verb of ``daybook``, with ``:n`` where there are several."""
        verb = name.partition(":")[0]
        argv = (sys.executable, "-m", *self.modules.get(verb, ("infra.cli",)), verb, *arguments)
        self.run(Program(name, argv, env={**self.environment, **environment}))

    def run(self, program: Program) -> int:
        """Start any program; its process id."""
        with self.log_of(program.name).open("ab") as log:
            process = program.start(log)
        self._running[program.name] = (program, process)
        return process.pid

    def runs(self, name: str) -> bool:
        return name in self._running

    def process_id(self, name: str) -> int:
        return self._running[name][1].pid

    def log_of(self, name: str) -> Path:
        return self.logs / f"{name.replace(':', '-')}.log"

    def last_lines(self, lines_max: int = 30) -> dict[str, str]:
        """What each process has said last."""
        said = {name: self.log_of(name).read_text(errors="replace").splitlines() for name in self._running}
        return {name: "\n".join(lines[-lines_max:]) for name, lines in said.items() if lines}

    def await_that(self, name: str, ready: Callable[[], bool]) -> None:
        process = self._running[name][1]
        deadline = time.monotonic() + READY_WITHIN_S
        while not ready():
            late = time.monotonic() > deadline
            if late or process.poll() is not None:
                said = self.log_of(name).read_text(errors="replace")[-4_000:]
                raise AssertionError(f"{name} {'is not ready' if late else 'has ended'}:\n{said}")
            time.sleep(0.1)

    def restart(self, name: str, **environment: str) -> None:
        """Kill -9, then start again; this once with more in its environment."""
        program, process = self._running[name]
        process.kill()
        process.wait()
        changed = replace(program, env={**program.env, **environment})
        with self.log_of(name).open("ab") as log:
            self._running[name] = (program, changed.start(log))

    def ended(self) -> list[str]:
        """The names of those that have ended though nobody asked them to."""
        return [name for name, (_, process) in self._running.items() if process.poll() is not None]

    def end(self, name: str) -> None:
        """Ask one to end, and forget it."""
        program, process = self._running.pop(name)
        stop(process, program.stop_with, within_s=STOP_WITHIN_S)

    def stop(self) -> None:
        for _, process in self._running.values():
            process.terminate()
        for program, process in self._running.values():
            stop(process, program.stop_with, within_s=STOP_WITHIN_S)
        self._running.clear()


def started(servers: EmbeddedStack, database_url: str, bootstrap: str, logs: Path, *, apis: int) -> RunningStack:
    """Everything that production runs, with ``apis`` API processes, on a migrated database."""
    ports = [free_port() for _ in range(apis)]
    outbox_port = free_port()
    environment = {
        **development.environment(servers, port=ports[0], environment="test"),
        **development.stand_in_providers(servers.data_dir, outbox_port),
        "DAYBOOK_DATABASE_URL": database_url,
        "DAYBOOK_KAFKA_BOOTSTRAP": bootstrap,
        "DAYBOOK_KAFKA_TOPIC": f"facts.{database_url.partition('?')[0].rpartition('/')[2]}",
        "DAYBOOK_LOG_FORMAT": "json",
    }
    stack = RunningStack(environment, logs, outbox_url=f"http://127.0.0.1:{outbox_port}")
    try:
        api_url = f"http://127.0.0.1:{ports[0]}"
        options = development.stand_in_options(servers.data_dir, port=outbox_port, api_url=api_url)
        stack.start("fake-provider", *options)
        for verb in ("relay", "project", "notify", "timekeeper", "webhooks"):
            stack.start(verb)
        for number, port in enumerate(ports):
            stack.start(f"serve:{number}", DAYBOOK_API_PORT=str(port))
            stack.urls.append(f"http://127.0.0.1:{port}")
        stack.await_that("fake-provider", lambda: listens(outbox_port))
        for number, url in enumerate(stack.urls):
            stack.await_that(f"serve:{number}", lambda url=url: answers(f"{url}/readyz"))  # type: ignore[misc]
    except BaseException:
        stack.stop()
        raise
    return stack


def processes_of(mark: str) -> list[str]:
    """Living processes that were started with the environment variable ``DAYBOOK_TEST_MARK=mark``, by any parent."""
    needle = f"DAYBOOK_TEST_MARK={mark}"
    if Path("/proc/self/environ").exists():
        return [
            (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            for process in Path("/proc").glob("[0-9]*")
            if needle in _environment_of(process)
        ]
    listed = subprocess.run(["ps", "-axEo", "pid=,command="], capture_output=True, text=True, check=True).stdout
    return [line for line in listed.splitlines() if needle in line]


def _environment_of(process: Path) -> str:
    try:
        return (process / "environ").read_text(errors="replace")
    except OSError:  # gone in the meantime, or someone else's
        return ""
