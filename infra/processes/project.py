"""``daybook project``: read models follow the facts."""

import gc
from collections.abc import Sequence

import psycopg

from infra.composition import NotMigrated
from infra.followers import projector
from infra.process import begun, cannot, on_stop

GARBAGE_THRESHOLDS = (700, 10, 10_000)
"""When to look for cycles among new objects, as Python would, and among all of them: a thousand times less often.

Facts are many objects at a time and no cycles. To look through all of a batch again and again, while it is decoded and
made rows, was a third of the CPU.
"""


def run(names: Sequence[str]) -> int:
    """Until SIGTERM or SIGINT. Raises ``SettingsError``."""
    settings = begun("project")
    gc.set_threshold(*GARBAGE_THRESHOLDS)
    try:
        follower = projector(settings, names)
    except (NotMigrated, psycopg.OperationalError) as failed:
        return cannot("project", failed)
    on_stop(follower.stop)
    follower.run()
    return 0
