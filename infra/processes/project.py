"""``daybook project``: read models follow the facts."""

from collections.abc import Sequence

import psycopg

from infra.composition import NotMigrated
from infra.followers import projector
from infra.process import begun, cannot, on_stop


def run(names: Sequence[str]) -> int:
    """Until SIGTERM or SIGINT. Raises ``SettingsError``."""
    settings = begun("project")
    try:
        follower = projector(settings, names)
    except (NotMigrated, psycopg.OperationalError) as failed:
        return cannot("project", failed)
    on_stop(follower.stop)
    follower.run()
    return 0
