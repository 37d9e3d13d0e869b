"""Load over HTTP from one process: wrk where it is installed, else a small asyncio client.

Both send the same prepared bytes, keep a number of connections busy with one request at a time each, and count what
came back. So the figures of several programs under the same load can be compared.
"""

import asyncio
import json
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

WRK = shutil.which("wrk")
CLIENT = "wrk" if WRK else "asyncio"
CONNECTIONS = 16
_SCRIPT = Path(__file__).with_name("load.lua")
_TIMEOUT_S = 15
_CONTENT_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)


class LoadFailed(AssertionError):  # noqa: N818  reads as what it says
    """Answers were not what was asked for: the figure would mean nothing."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came back. ``errors``: answers with a status of 400 and above, which are among ``answers``."""

    answers: int
    errors: int
    seconds: float
    p50_ms: float
    p99_ms: float

    @property
    def per_second(self) -> float:
        return self.answers / self.seconds


def http_request(
    method: str, path: str, *, token: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
) -> bytes:
    """The bytes of one request, signed in."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", f"Authorization: Bearer {token}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if body is not None:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + (body or b"")


def put_load(
    url: str,
    requests: Sequence[bytes],
    *,
    seconds: float,
    connections: int = CONNECTIONS,
    repeat: bool = False,
    errors_allowed: bool = False,
) -> Outcome:
    """Send ``requests`` in order for so long. Raises ``LoadFailed``.

    ``repeat``: begin again at the end; otherwise there must be enough of them. ``errors_allowed``: a refusal is an
    answer too; a server's error or a lost connection never is.
    """
    address = urlsplit(url).netloc
    send = _by_wrk if WRK else _by_asyncio
    outcome = send(address, requests, seconds, connections, repeat=repeat)
    if not outcome.answers or (outcome.errors and not errors_allowed):
        raise LoadFailed(f"{url}: {outcome.errors} of {outcome.answers} answers were errors")
    return outcome


def _by_wrk(address: str, requests: Sequence[bytes], seconds: float, connections: int, *, repeat: bool) -> Outcome:
    assert WRK
    with tempfile.NamedTemporaryFile(prefix="daybook-bench-") as prepared:
        prepared.writelines(b"%d\n%b" % (len(one), one) for one in requests)
        prepared.flush()
        # wrk takes whole seconds; one thread is enough for more than any of these programs can answer.
        argv = [WRK, "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", f"--timeout={_TIMEOUT_S}s"]
        script = ["-s", str(_SCRIPT), f"http://{address}/", "--", prepared.name, "repeat" if repeat else "once"]
        done = subprocess.run([*argv, *script], capture_output=True, text=True, check=False)
    said = done.stdout.splitlines()
    if done.returncode or not said or not said[-1].startswith("{"):
        raise LoadFailed(f"wrk: {done.stderr or done.stdout}")
    told = json.loads(said[-1])
    if told["exhausted"] or told["lost"]:
        raise LoadFailed(f"wrk: {told['lost']} lost, requests ran out: {told['exhausted']}")
    return Outcome(told["answers"], told["errors"], told["seconds"], told["p50_ms"], told["p99_ms"])


def _by_asyncio(address: str, requests: Sequence[bytes], seconds: float, connections: int, *, repeat: bool) -> Outcome:
    return asyncio.run(
        _all_connections(address, _unending(requests) if repeat else iter(requests), seconds, connections)
    )


def _unending(requests: Sequence[bytes]) -> Iterator[bytes]:
    while True:
        yield from requests


async def _all_connections(address: str, requests: Iterator[bytes], seconds: float, connections: int) -> Outcome:
    host, _, port = address.rpartition(":")
    began = time.perf_counter()
    answers: list[tuple[bool, float]] = []

    async def connection() -> None:
        reader, writer = await asyncio.open_connection(host, int(port))
        for wanted in requests:
            sent = time.perf_counter()
            writer.write(wanted)
            head = await reader.readuntil(b"\r\n\r\n")
            length = _CONTENT_LENGTH.search(head)
            if length is None:
                raise LoadFailed(f"an answer without a length: {head!r}")
            await reader.readexactly(int(length[1]))
            answers.append((head[9:10] >= b"4", time.perf_counter() - sent))
            if time.perf_counter() - began >= seconds:
                break
        else:
            raise LoadFailed("requests ran out")
        writer.close()

    async with asyncio.timeout(seconds + _TIMEOUT_S), asyncio.TaskGroup() as group:
        for _ in range(connections):
            group.create_task(connection())
    took = sorted(seconds for _, seconds in answers)
    return Outcome(
        len(answers),
        sum(is_error for is_error, _ in answers),
        time.perf_counter() - began,
        took[len(took) // 2] * 1000,
        took[len(took) * 99 // 100] * 1000,
    )
