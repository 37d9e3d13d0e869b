"""No customer is in two places at once, and the pages that see to it list exactly the visits that there are."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import ClassVar, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from infra.audits.stored import Span, StoredFact, deadline, meet, span
from infra.audits.visits import Visit, Visits
from infra.findings import CUSTOMER_TWICE, ENTRY_MISMATCH, UNKNOWN, Findings

AN_INSTANT = timedelta(microseconds=1)
OVERLAP = "customer_overlap"
"""The rule that the house may override for a visit."""


class _Entry(NamedTuple):
    holder_id: str
    month: date
    service_id: str
    visit: Span
    until: datetime | None
    is_hold: bool
    may_overlap: bool


@dataclass(slots=True)
class BookingPages:
    KINDS: ClassVar[tuple[str, ...]] = ("booking_page", "organization")

    findings: Findings
    visits: Visits
    _zones: dict[str, ZoneInfo] = field(default_factory=dict)
    _entries: dict[str, dict[UUID, _Entry]] = field(default_factory=dict)
    _touched: dict[str, int] = field(default_factory=dict)

    def take(self, fact: StoredFact) -> None:
        data = fact.data
        if fact.topic == "organization.registered.v1":
            self._zones[fact.organization_id] = ZoneInfo(data["time_zone"])
        elif fact.topic == "booking_page.visit_entered.v1":
            its = self._entries.setdefault(data["appointment_id"], {})
            its[fact.stream_id] = _Entry(
                data["holder_id"],
                date.fromisoformat(data["month"]),
                data["service_id"],
                span(data["visit"]),
                deadline(data.get("until")),
                data.get("is_hold", False),
                data.get("may_overlap", False),
            )
            self._touched[data["appointment_id"]] = fact.position
        elif fact.topic == "booking_page.visit_left.v1":
            if self._entries.get(data["appointment_id"], {}).pop(fact.stream_id, None) is None:
                detail = f"appointment {data['appointment_id']} leaves page {fact.stream_id}, on which it is not"
                self.findings.report(ENTRY_MISMATCH, fact.position, detail)
            self._touched[data["appointment_id"]] = fact.position
        elif fact.topic.startswith("booking_page."):
            self.findings.report(UNKNOWN, fact.position, fact.topic)

    def judge(self, now: datetime) -> None:
        """To be called while visits still know whom the command touched."""
        for appointment_id, position in {**self._touched, **self.visits.touched}.items():
            visit = self.visits.by_id.get(appointment_id)
            entries = list(self._entries.get(appointment_id, {}).values())
            if not self._are_due(visit, entries):
                status = visit.status if visit else None
                detail = f"appointment {appointment_id} is {status} and stands on {len(entries)} pages"
                self.findings.report(ENTRY_MISMATCH, position, detail)
            if visit and visit.counts_at(now):
                self._judge_places(appointment_id, visit, position, now)
        self._touched.clear()

    def _are_due(self, visit: Visit | None, entries: list[_Entry]) -> bool:
        """Whether the visit is on its customer's pages, and on all of its service's or on none."""
        if visit is None or not visit.takes:
            return not entries
        zone = self._zones.get(visit.organization_id)
        months = set(_months(visit.visit, zone)) if zone else set()
        by_holder = {visit.customer_id: set[date](), visit.service_id: set[date]()}
        for entry in entries:
            told = (entry.service_id, entry.visit, entry.until, entry.is_hold)
            if entry.holder_id not in by_holder or told != (
                *(visit.service_id, visit.visit, visit.until),
                visit.status == "held",
            ):
                return False
            by_holder[entry.holder_id].add(entry.month)
        return by_holder[visit.customer_id] == months and by_holder[visit.service_id] in (set(), months)

    def _judge_places(self, appointment_id: str, visit: Visit, position: int, now: datetime) -> None:
        if OVERLAP in visit.overridden or self._may_overlap(appointment_id):
            return
        for other_id in sorted(self.visits.of_customer_near(visit) - {appointment_id}):
            other = self.visits.by_id[other_id]
            if not (other.counts_at(now) and meet(visit.visit, other.visit)):
                continue
            if OVERLAP not in other.overridden and not self._may_overlap(other_id):
                detail = f"customer {visit.customer_id}: appointments {appointment_id} and {other_id}"
                self.findings.report(CUSTOMER_TWICE, position, detail)

    def _may_overlap(self, appointment_id: str) -> bool:
        return any(entry.may_overlap for entry in self._entries.get(appointment_id, {}).values())


def _months(visit: Span, zone: ZoneInfo) -> Iterator[date]:
    """The first days of the months that it touches in the organization's calendar."""
    first, last = visit[0].astimezone(zone), (visit[1] - AN_INSTANT).astimezone(zone)
    for number in range(first.year * 12 + first.month - 1, last.year * 12 + last.month):
        yield date(number // 12, number % 12 + 1, 1)
