"""``daybook rebuild NAME``: a read model anew from the journal, beside the live one, then in its place."""

import json
import sys
from dataclasses import asdict

import psycopg

from adapters.reopening_reader import ReopeningJournalReader
from infra.composition import NotMigrated, connecting, epoch_of
from infra.process import begun, cannot
from infra.progress_bar import progress
from infra.read_models import read_models
from projections.rebuilding import RebuildRunning, SwapFailed, rebuild


def run(name: str, *, as_json: bool) -> int:
    """Raises ``SettingsError``, also for a name that is none."""
    settings = begun("rebuild")
    (sink,) = read_models([name], settings.kafka_partitions)
    connect = connecting(settings, "rebuild")
    reader = ReopeningJournalReader(connect)
    try:
        epoch_of(settings, "rebuild")
        with connect() as connection, progress(f"rebuild {name}", silent=as_json) as tell:
            done = rebuild(sink, connection, reader, partitions=settings.kafka_partitions, on_progress=tell)
    except (NotMigrated, RebuildRunning, SwapFailed, psycopg.OperationalError) as failed:
        return cannot("rebuild", failed)
    finally:
        reader.close()
    if as_json:
        sys.stdout.write(json.dumps({"name": name, **asdict(done)}) + "\n")
    else:
        sys.stdout.write(
            f"rebuilt {name}: facts={done.facts} position={done.position}"
            f" seconds={done.seconds:.2f} readers_waited_s={done.swap_s:.3f}\n"
        )
    return 0
