"""``daybook verify``: the journal swept for double bookings by independent code."""

import json
import sys
import time

import msgspec
import psycopg

from adapters.reopening_reader import ReopeningJournalReader
from application.journal import JournalUnavailable
from infra.composition import NotMigrated, connecting, epoch_of
from infra.database_roles import url_for
from infra.findings import Findings
from infra.process import begun, cannot
from infra.progress_bar import progress
from infra.settings import Settings
from infra.verification import verify


def run(*, as_json: bool) -> int:
    """0 if nothing is wrong, else 1. Raises ``SettingsError``."""
    settings = begun("verify")
    began = time.monotonic()
    try:
        epoch_of(settings, "verify")
        findings = _swept(settings, silent=as_json)
    except (NotMigrated, JournalUnavailable, psycopg.OperationalError) as failed:
        return cannot("verify", failed)
    seconds = time.monotonic() - began
    if as_json:
        sys.stdout.write(told_as_json(findings, seconds) + "\n")
        return 0 if findings.clean else 1
    for fault in findings.faults:
        against = f" (against {', '.join(map(str, fault.against))})" if fault.against else ""
        sys.stdout.write(f"position {fault.position}: {fault.kind}: {fault.detail}{against}\n")
    sys.stdout.write(
        f"verify: facts={findings.facts} appointments={findings.appointments} claims={findings.claims}"
        f" double_bookings={findings.double_bookings} overrun_minutes={findings.overrun_minutes}"
        f" faults={sum(findings.counts.values())} seconds={seconds:.1f}\n"
    )
    return 0 if findings.clean else 1


def told_as_json(findings: Findings, seconds: float) -> str:
    # Not ``asdict``: of a Counter it would count the pairs.
    found = msgspec.to_builtins(findings)
    return json.dumps({"clean": findings.clean, "seconds": seconds, **found})


def _swept(settings: Settings, *, silent: bool) -> Findings:
    reader = ReopeningJournalReader(connecting(settings, "verify"))
    done, total = 0, reader.head()
    reader.close()
    with progress("verify", silent=silent) as tell:

        def advanced(facts: int) -> None:
            nonlocal done
            done += facts
            tell(done, max(done, total))  # positions have gaps, and facts may have come since

        return verify(url_for("verify", settings.database_url), advanced)
