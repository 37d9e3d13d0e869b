"""The document of free slots: written by hand where it counts, and the same as ever."""

from datetime import UTC, datetime
from uuid import UUID

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from api.slots import as_json
from application.slots import FreeSlots

visits = st.lists(
    st.tuples(st.integers(0, 70 * 1440), st.lists(st.uuids(), min_size=1, max_size=3).map(tuple)),
    unique_by=lambda visit: visit[0],
).map(sorted)


@given(visits, st.sampled_from([1, 30, 1440, 4000]), st.datetimes(datetime(1970, 1, 1), datetime(9000, 1, 1)))  # noqa: DTZ001
def test_slots_as_they_were_found_are_written_as_any_others(
    found: list[tuple[int, tuple[UUID, ...]]], duration_min: int, day: datetime
) -> None:
    midnight = day.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=UTC)
    slots = FreeSlots(midnight, duration_min, found)
    assert as_json(slots) == msgspec.json.encode(list(slots))
    assert as_json(list(slots)) == as_json(slots)
