"""``daybook replay``: whether every read model is what a fresh replay of the journal would make of it."""

import json
import sys
import time

import psycopg

from adapters.reopening_reader import ReopeningJournalReader
from infra.composition import NotMigrated, connecting, epoch_of
from infra.process import begun, cannot
from infra.read_models import read_models
from infra.settings import Settings
from projections.rebuilding import RebuildRunning, live_and_replayed


def compare(settings: Settings) -> dict[str, tuple[str, str]]:
    """By read model: the digest of the live tables, and that of a replay up to where they had come.

    Raises ``NotMigrated``, ``RebuildRunning``, ``psycopg.OperationalError``.
    """
    epoch_of(settings, "replay")
    connect = connecting(settings, "replay")
    reader = ReopeningJournalReader(connect)
    digests = {}
    try:
        for sink in read_models([], settings.kafka_partitions):
            with connect() as connection:
                digests[sink.NAME] = live_and_replayed(sink, connection, reader, partitions=settings.kafka_partitions)
    finally:
        reader.close()
    return digests


def run(*, as_json: bool) -> int:
    """0 if all are equal, else 1. Raises ``SettingsError``."""
    settings = begun("replay")
    began = time.monotonic()
    try:
        digests = compare(settings)
    except (NotMigrated, RebuildRunning, psycopg.OperationalError) as failed:
        return cannot("replay", failed)
    equal = all(live == replayed for live, replayed in digests.values())
    if as_json:
        found = {name: {"live": live, "replayed": replayed} for name, (live, replayed) in digests.items()}
        sys.stdout.write(json.dumps({"replay_equal": equal, "read_models": found}) + "\n")
        return 0 if equal else 1
    for name, (live, replayed) in digests.items():
        verdict = "equal" if live == replayed else f"DIFFERENT: live {live}, replayed {replayed}"
        sys.stdout.write(f"{name:<20} {verdict}\n")
    sys.stdout.write(f"replay: replay_equal={str(equal).lower()} seconds={time.monotonic() - began:.1f}\n")
    return 0 if equal else 1
