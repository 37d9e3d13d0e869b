"""``make fuzz``: rounds of fuzzing, each with its own seed and organizations, for as many minutes as one likes."""

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

from infra.embedded import EmbeddedStack
from infra.migrations import migrate
from tests.api.house import House, opened_house, sign_in
from tests.api.running_api import RunningApi, running_api
from tests.fuzz.fuzzing import Finding, Fuzzing, report

ROUND_S_MAX = 300.0
"""Below the ten minutes that an access token lasts."""
EXAMPLES = 12
DATABASE = "fuzz"


def main() -> int:
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of the first round; the next adds one")
    given = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="daybook-fuzz-", dir="/tmp"))
    try:
        with EmbeddedStack(directory) as servers:
            servers.ensure_database(DATABASE)
            migrate(servers.database_url(DATABASE))
            with running_api(servers, servers.database_url(DATABASE), directory) as api:
                findings, failed = _rounds(api, given.seed, time.monotonic() + 60 * given.minutes)
    finally:
        shutil.rmtree(directory)
    if failed:
        raise failed
    say(f"{len(findings)} findings")
    return 1 if findings else 0


def _rounds(api: RunningApi, seed: int, until: float) -> tuple[list[Finding], Exception | None]:
    """An error is given back, not raised: the API has to be stopped in good order first."""
    findings: list[Finding] = []
    try:
        while time.monotonic() < until:
            findings += _round(opened_house(api), seed, until)
            seed += 1
    except Exception as failed:  # noqa: BLE001  raised by who called, when all is stopped
        return findings, failed
    return findings, None


def _round(house: House, seed: int, until: float) -> list[Finding]:
    say(f"seed {seed}")
    found: list[Finding] = []
    emails = [house.emails["owner"], house.emails["customer"], None]
    for others, email in zip((2, 1, 0), emails, strict=True):
        token = sign_in(house.api, email)["access_token"] if email else None
        now = time.monotonic()
        ends = now + min(ROUND_S_MAX, (until - now) / (1 + others))  # each has their share of what is left
        fuzzing = Fuzzing(house, token, until=ends, seed=seed, examples=EXAMPLES)
        fuzzing.run()
        for line in report([fuzzing]):
            say(line)
        found += fuzzing.findings
    return found


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
