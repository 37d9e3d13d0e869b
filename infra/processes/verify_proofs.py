"""``daybook verify --proofs``: an exported journal checked offline, by a public key and nothing else."""

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from adapters.checkpoint_notes import CheckpointRefused, NoPublicKey, Verifier, opened
from adapters.exported_journal import read
from infra.process import cannot
from infra.proof_verification import INT64_MAX, Broken, prove


def run(file: Path, keys: Sequence[str], checkpoints: Sequence[Path], *, as_json: bool) -> int:
    """0 if all of it is proved, 1 if not. ``keys``: each as it is written, or the name of a file that has it."""
    began = time.monotonic()
    try:
        trusted = [Verifier(_text_of(key)) for key in keys]
        kept = [opened(path.read_text(), trusted) for path in checkpoints]
        with file.open("rb") as lines:
            proved = prove(read(lines), trusted, kept)
    except (OSError, NoPublicKey, CheckpointRefused) as wrong:
        return cannot("verify", wrong)
    seconds = time.monotonic() - began
    if as_json:
        sys.stdout.write(json.dumps({"proved": proved.broken is None, "seconds": seconds, **asdict(proved)}) + "\n")
        return 0 if proved.broken is None else 1
    if proved.broken:
        sys.stdout.write(f"{_where(proved.broken)}: {proved.broken.why}\n")
    sys.stdout.write(
        f"verify: facts={proved.facts} checkpoints={proved.checkpoints} proved_to={proved.position}"
        f" broken={int(proved.broken is not None)} seconds={seconds:.1f}\n"
    )
    return 0 if proved.broken is None else 1


def _where(broken: Broken) -> str:
    if broken.position == broken.upto:
        return f"position {broken.position}"
    return f"from position {broken.position}" + (f" to {broken.upto}" if broken.upto < INT64_MAX else "")


def _text_of(key: str) -> str:
    return Path(key).read_text() if "+" not in key or Path(key).exists() else key
