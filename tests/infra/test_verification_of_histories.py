"""The audit finds nothing in whatever a front desk does, be it by one clock or by several that differ."""

from collections import Counter
from contextlib import suppress
from datetime import datetime, timedelta
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.fact_codec import FactMapper
from application.journal import Provenance
from domain.refusals import Refusal
from infra.verification import Row, sweep
from tests.desk import HOUR
from tests.projections.deeds import Clinic, Deed
from tests.projections.history import deeds, journal_of

MAPPER = FactMapper()


@settings(deadline=None)
@given(deeds=deeds)
def test_nothing_is_found_in_whatever_two_front_desks_do(deeds: list[Deed]) -> None:
    _, journal = journal_of(deeds)
    rows = [(r.position, r.stream_id, r.version, r.fact.TOPIC, MAPPER.state(r.fact, r.provenance)) for r in journal]
    findings = sweep(rows)
    assert findings.clean, findings.faults


class CrowdedClinic(Clinic):
    """Everything starts within three hours, on the hour."""

    def start(self, deed: Deed) -> datetime:
        return self.desk.now.replace(minute=0) + (1 + deed.hour % 3) * HOUR

    soon = start


CROWDED = (
    *(("hold", "hold_seat", "hold_request", "confirm") * 3),
    *("book", "seat", "request", "approve", "move", "cancel", "lapse", "wait", "change_terms"),
)

crowded = st.lists(
    st.tuples(
        st.builds(
            Deed,
            clinic=st.just(0),
            name=st.sampled_from(CROWDED),
            which=st.integers(0, 3),
            hour=st.integers(0, 2),
        ),
        st.sampled_from([-20, 0, 0, 20]),
        st.sampled_from([0, 0, 10, 30]),
    ),
    min_size=20,
    max_size=80,
)


@settings(deadline=None)
@given(deeds=crowded)
def test_nothing_is_found_where_clocks_differ_and_everyone_wants_the_same(deeds: list[tuple[Deed, int, int]]) -> None:
    clinic = CrowdedClinic(0)
    desk, rows, versions = clinic.desk, list[Row](), Counter[UUID]()
    clinic.guests = [*clinic.customers, *clinic.guests[:2]]
    for number, (deed, skew_min, later_min) in enumerate(deeds):
        desk.now += timedelta(minutes=skew_min)
        with suppress(Refusal):
            clinic.do(deed)
        its = Provenance(
            organization_id=desk.organization_id,
            actor_id=desk.staff.account_id,
            at=desk.now,
            command_id=UUID(int=number),
        )
        for stream_id, fact in desk.facts[len(rows) :]:
            versions[stream_id] += 1
            rows.append((len(rows) + 1, stream_id, versions[stream_id], fact.TOPIC, MAPPER.state(fact, its)))
        desk.now += timedelta(minutes=later_min - skew_min)
    findings = sweep(rows)
    assert findings.clean, findings.faults
