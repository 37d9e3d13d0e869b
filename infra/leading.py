"""Of several processes of one kind one works: who holds an advisory lock, on the very connection that it works with."""

from typing import Any

from psycopg import Connection

from application.stopping import StopRequest

ASK_EVERY_S = 0.5

Lock = tuple[int, int]
"""A key of PostgreSQL's advisory locks."""


def leads(connection: Connection[Any], lock: Lock, stopping: StopRequest) -> bool:
    """Wait for the lock, which is lost with the connection and only so. False: asked to stop meanwhile."""
    while not stopping.made:
        if connection.execute("SELECT pg_try_advisory_lock(%s, %s)", lock).fetchone() == (True,):
            return True
        stopping.pause(ASK_EVERY_S)
    return False
