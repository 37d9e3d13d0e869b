"""Lists of what an organization has set up, in the order of its making."""

from typing import Any

from api.reading import Reading, place_of
from application.decision import O
from projections import catalogue
from projections.catalogue import Catalogue, Entry


async def catalogue_rows(asked: Reading, kind: type[O], limit: int, cursor: str | None) -> list[Entry[O]]:
    """One more than ``limit``, if there are so many. Raises ``Rejected``, ``NotReached``."""
    place = place_of(cursor, tuple[int])
    await asked.caught_up(Catalogue.NAME)
    after = place[0] if place else None
    return await catalogue.listed(asked.reads, asked.actor.organization_id, kind, after=after, limit=limit + 1)


def place_in_catalogue(row: Entry[Any]) -> tuple[int]:
    return (row.created_position,)
