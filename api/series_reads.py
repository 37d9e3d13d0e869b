"""Series: lists of them, and one with its occurrences as they are now."""

from collections.abc import Mapping
from uuid import UUID

from fastapi import APIRouter
from starlette.responses import Response

from api.contract import query
from api.notes import folded
from api.operation import Operation
from api.ports import Ports
from api.reading import Asked, Cursor, Limit, Listed, page, place_of, shown
from api.series_shapes import SeriesShape, SeriesSummaryShape
from application.occurrences import series_answer
from domain.account import Role
from domain.appointment import Appointment
from domain.permissions import Reach, ensure_may, reach
from domain.refusals import NotFound
from domain.series import Series
from projections import series as series_rows
from projections.series import Entry, SeriesList

router = APIRouter(prefix="/v1/series", tags=["series"], route_class=Operation)

_SHOWN = (
    *("id", "service_id", "customer_id", "start_local", "time_zone", "rrule", "exdates"),
    *("occurrence_count", "version"),
)


@router.get("", **query(Listed[SeriesSummaryShape], "listSeries", "series.read", problems=()))
async def list_series(
    asked: Asked, customer_id: UUID | None = None, limit: Limit = 50, cursor: Cursor = None
) -> Response:
    """In the order of their making; customers see their own."""
    if reach(asked.actor, "series.read") is Reach.OWN:
        customer_id = customer_id or asked.actor.subject_id
    ensure_may(asked.actor, "series.read", subject_id=customer_id)
    place = place_of(cursor, tuple[int])
    await asked.caught_up(SeriesList.NAME)
    rows = await series_rows.listed(
        asked.reads,
        asked.actor.organization_id,
        customer_id=customer_id,
        after=place[0] if place else None,
        limit=limit + 1,
    )
    return page(rows, limit, _summary, lambda row: (row.created_position,))


@router.get("/{series_id}", **query(SeriesShape, "getSeries", "series.read", etag=True))
async def get_series(asked: Asked, series_id: UUID) -> Response:
    """From the journal, so always as it is now, each occurrence too. Each of those has a version of its own."""
    series, version = await asked.require(Series, series_id)
    if asked.actor.role is Role.CUSTOMER and series.customer_id != asked.actor.subject_id:
        raise NotFound("series", series_id)
    ensure_may(asked.actor, "series.read", subject_id=series.customer_id)
    return shown(series_answer(series, version, await visits_of(asked.ports, series)), version=version)


async def visits_of(ports: Ports, series: Series) -> Mapping[UUID, tuple[Appointment, int]]:
    """The appointments of a series by id, as they are now, each with its version."""
    streams = await ports.journal.load([one.appointment_id for one in series.occurrences])
    states = {key: (folded(recorded), len(recorded)) for key, recorded in streams.items()}
    return {key: (state, version) for key, (state, version) in states.items() if isinstance(state, Appointment)}


def _summary(row: Entry) -> dict[str, object]:
    return {name: getattr(row, name) for name in _SHOWN}
