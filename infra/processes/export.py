"""``daybook export``: the journal up to its last checkpoint, with its tree, as a file that is verified offline."""

import json
import sys
from pathlib import Path

import psycopg

from adapters.exported_journal import write
from adapters.proof_tree import exported
from infra.composition import NotMigrated, connecting, epoch_of
from infra.process import begun, cannot


def run(file: Path, *, as_json: bool) -> int:
    """Raises ``SettingsError``."""
    settings = begun("export")
    try:
        epoch_of(settings, "export")
        with connecting(settings, "export")() as connection, file.open("wb") as output:
            connection.autocommit = True
            lines = write(exported(connection), output)
    except (NotMigrated, psycopg.OperationalError, OSError) as failed:
        return cannot("export", failed)
    sys.stdout.write((json.dumps({"lines": lines}) if as_json else f"export: lines={lines} file={file}") + "\n")
    return 0
