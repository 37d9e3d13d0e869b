"""``daybook redrive``: what was parked, and its next try. Without a message it only lists."""

import getpass
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from uuid import UUID

import psycopg
import structlog

from infra.composition import NotMigrated, connecting, epoch_of
from infra.process import begun, cannot
from projections.redriving import Parked, parked, redrive

WRONG_ARGUMENTS = 2

_log = structlog.get_logger("redrive")


def run(message: UUID | None, *, everything: bool, reason: str, twice_allowed: bool, as_json: bool) -> int:
    """0 if all that was asked for is due again; 1 if some of it is not; 2: no reason. Raises ``SettingsError``."""
    acts = everything or message is not None
    if acts and not reason.strip():
        sys.stderr.write("daybook redrive: say why: --reason\n")
        return WRONG_ARGUMENTS
    settings = begun("redrive")
    try:
        epoch_of(settings, "redrive")
        with connecting(settings, "redrive")() as connection:
            found = parked(connection)
            if not acts:
                _tell(found, as_json=as_json)
                return 0
            chosen = [one for one in found if everything or one.id == message]
            done = [one for one in chosen if redrive(connection, one, twice_allowed=twice_allowed)]
    except (NotMigrated, psycopg.OperationalError) as failed:
        return cannot("redrive", failed)
    for one in done:
        _log.warning("redriven", kind=one.kind, id=str(one.id), state=one.state, by=getpass.getuser(), reason=reason)
    left = [one for one in chosen if one not in done]
    _tell(done, as_json=as_json)
    sys.stderr.write(f"daybook redrive: due again: {len(done)}, left as they are: {len(left)}\n")
    for one in left:
        sys.stderr.write(f"  {one.id}: {_why_left(one)}\n")
    return 0 if (chosen or everything) and not left else 1


def _why_left(one: Parked) -> str:
    if one.disabled:
        return "its endpoint is disabled"
    return "may have been sent; --may-be-sent-twice" if one.may_have_been_sent else "is not parked any more"


def _tell(rows: Sequence[Parked], *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps({"parked": [asdict(one) for one in rows]}, default=str) + "\n")
        return
    for one in rows:
        note = " (endpoint disabled)" if one.disabled else ""
        since = one.since.isoformat(timespec="seconds")
        sys.stdout.write(f"{one.id}  {one.kind:7}  {one.state:7}  {since}  {one.what}: {one.reason or '-'}{note}")
        sys.stdout.write(f"  [organization {one.organization_id}]\n")
