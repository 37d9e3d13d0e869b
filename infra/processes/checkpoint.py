"""``daybook checkpoint``: grows the tree over the journal and signs it. Start several: one signs, the others wait.

It alone has the key. Whoever has the database, and even the API, can alter facts and tree, and sign neither.
"""

import logging
import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit
from zlib import crc32

import psycopg
from prometheus_client import Counter, Gauge
from psycopg import Connection

from adapters.checkpoint_notes import NoPublicKey, Signer, Verifier
from adapters.proof_tree import FACTS_MAX, KeptTree, TreeBroken, journal_head, kept_tree
from application.retrying import RECONNECT_LONGEST_S, retry_delay_s
from application.stopping import StopRequest
from infra.composition import NotMigrated, connecting, epoch_of
from infra.leading import leads
from infra.process import begun, cannot, on_stop
from infra.settings import Settings, SettingsError, needed, variable

SIGNER_LOCK = (crc32(b"daybook checkpoint") % 2**31, 0)
LOOKS_EVERY_S = 1.0

SIGNS = Gauge("daybook_proofs_signs", "1 in the process that signs")
POSITION = Gauge("daybook_proofs_position", "All facts up to here are under a signed checkpoint")
BEHIND_S = Gauge("daybook_proofs_behind_seconds", "For how long there has been a fact that no checkpoint covers")
SIGNED = Counter("daybook_proofs_signed_total", "Checkpoints signed")
BROKEN = Gauge("daybook_proofs_broken", "1: the tree or the journal contradicts what was signed; nothing is signed")

logger = logging.getLogger(__name__)


def run() -> int:
    """Until SIGTERM or SIGINT. Raises ``SettingsError``."""
    settings = begun("checkpoint")
    signer, trusted = keys_of(settings)
    process = CheckpointProcess(settings, signer, trusted)
    on_stop(process.stop)
    try:
        epoch_of(settings, "checkpoint")
    except (NotMigrated, psycopg.OperationalError) as failed:
        return cannot("checkpoint", failed)
    logger.info("checkpoints are verified by %s", signer.public_key)
    process.run()
    return 0


def keys_of(settings: Settings) -> tuple[Signer, Sequence[Verifier]]:
    """The key that signs, and those that have signed before. Raises ``SettingsError``."""
    origin = f"{urlsplit(settings.public_url).hostname}/journal"
    signer = Signer(needed(settings.checkpoint_key, "checkpoint_key").get_secret_value(), origin)
    try:
        return signer, [Verifier(key) for key in (signer.public_key, *settings.checkpoint_public_keys_old)]
    except NoPublicKey as wrong:
        raise SettingsError(f"{variable('checkpoint_public_keys_old')}: {wrong}") from None


class CheckpointProcess:
    """Tries to be the one that signs, on the very connection that it writes with: losing one is losing both."""

    def __init__(self, settings: Settings, signer: Signer, trusted: Sequence[Verifier]) -> None:
        self._settings, self._signer, self._trusted = settings, signer, trusted
        self._stopping = StopRequest()
        self._covered_at = time.monotonic()

    def stop(self) -> None:
        self._stopping.make()

    def run(self) -> None:
        failures = 0
        while not self._stopping.made:
            try:
                with connecting(self._settings, "checkpoint")() as connection:
                    connection.autocommit = True
                    if leads(connection, SIGNER_LOCK, self._stopping):
                        kept = kept_tree(connection, self._trusted)
                        failures = 0
                        self._follow(connection, kept)
            except (psycopg.OperationalError, psycopg.InterfaceError) as lost:
                failures += 1
                delay_s = retry_delay_s(failures, RECONNECT_LONGEST_S)
                logger.warning("the journal cannot be read: %s; again in %.1f s", str(lost).strip(), delay_s)
                self._stopping.pause(delay_s)
            except TreeBroken as broken:
                # It stays, and says so by its metrics: to start it again would not mend it.
                BROKEN.set(1)
                logger.error("nothing is signed: %s", broken)  # noqa: TRY400  the line says it all
                self._stopping.pause(RECONNECT_LONGEST_S)
            finally:
                SIGNS.set(0)

    def _follow(self, connection: Connection[Any], kept: KeptTree) -> None:
        SIGNS.set(1)
        signed_at = float("-inf")
        while not self._stopping.made:
            head, now = journal_head(connection), time.monotonic()
            if head < kept.position:
                raise TreeBroken(f"the journal ends at {head}, and what was signed at {kept.position}")
            BROKEN.set(0)
            if head > kept.position and now - signed_at >= self._settings.checkpoint_every_s:
                facts = kept.extend(connection, self._signer)
                SIGNED.inc()
                # A full batch is followed by the next at once.
                signed_at = float("-inf") if facts == FACTS_MAX else now
            if head <= kept.position:
                self._covered_at = time.monotonic()
            POSITION.set(kept.position)
            BEHIND_S.set(time.monotonic() - self._covered_at if head > kept.position else 0)
            if head <= kept.position or signed_at > float("-inf"):
                self._stopping.pause(LOOKS_EVERY_S)
