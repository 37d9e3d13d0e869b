"""Which role each process has in the database. It takes it on as it connects, and may do what that role may."""

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from projections.walls import API, AUDITOR, FOLLOWER, NOTARY

_ROLES = {"serve": API, "relay": AUDITOR, "verify": AUDITOR, "export": AUDITOR, "checkpoint": NOTARY}
"""By the first word of the process; all others follow facts and keep what is made of them."""


def role_of(process: str) -> str:
    return _ROLES.get(process.partition(" ")[0], FOLLOWER)


def url_for(process: str, database_url: str) -> str:
    """How the process connects: as whoever the URL names, in the process's role.

    Who connects must have been granted the role: ``GRANT daybook_api TO …``.
    """
    given = conninfo_to_dict(database_url).get("options") or ""
    return make_conninfo(database_url, options=f"{given} -c role={role_of(process)}".strip())
