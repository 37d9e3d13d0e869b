"""Histories as an audit reads them: real decisions of a front desk as stored rows, and rows that tell lies."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4, uuid5

from adapters.fact_codec import FactMapper
from application.booking import Book, book
from application.decision import UseCase
from application.journal import Provenance
from domain.permissions import Actor
from domain.service import Requirement
from infra.findings import Findings
from infra.verification import Row
from tests.desk import NINE, SEED, Desk

MAPPER = FactMapper()
CLAIMED = "resource_day.slot_claimed.v1"


class RecordedDesk(Desk):
    """A desk whose decisions are kept as the journal would store them."""

    def __init__(self, **options: Any) -> None:
        self.rows: list[Row] = []
        self._versions: dict[UUID, int] = {}
        self._commands = 0
        super().__init__(**options)

    def do(self, use_case: UseCase[Any], command: object, actor: Actor | None = None) -> Mapping[str, Any]:
        before = len(self.facts)
        answer = super().do(use_case, command, actor)
        self._commands += 1
        provenance = Provenance(
            organization_id=self.organization_id,
            actor_id=(actor or self.staff).account_id,
            at=self.now,
            command_id=uuid5(SEED, f"command {self._commands}"),
        )
        for stream_id, fact in self.facts[before:]:
            version = self._versions[stream_id] = self._versions.get(stream_id, 0) + 1
            self.rows.append((len(self.rows) + 1, stream_id, version, fact.TOPIC, MAPPER.state(fact, provenance)))
        return answer


@dataclass
class Forger:
    """Appends facts to a history that no decision made."""

    rows: list[Row]
    organization_id: UUID
    now: datetime
    command: str = ""

    def write(self, stream_id: UUID, topic: str, data: Mapping[str, Any], *, same_command: bool = False) -> int:
        """Returns the position."""
        position = self.rows[-1][0] + 1 if self.rows else 1
        if not same_command:
            self.command = str(uuid5(SEED, f"forged {position}"))
        meta = {
            "org": str(self.organization_id),
            "actor": str(SEED),
            "at": self.now.isoformat(),
            "command": self.command,
        }
        version = 1 + sum(row[1] == stream_id for row in self.rows)
        state = json.dumps({"meta": meta, "data": data}).encode()
        self.rows.append((position, stream_id, version, topic, state))
        return position


def data_of(row: Row) -> dict[str, Any]:
    data = json.loads(row[4])["data"]
    assert isinstance(data, dict)
    return data


def altered(row: Row, change: Callable[[dict[str, Any]], None]) -> Row:
    """The row with its JSON changed in place."""
    state = json.loads(row[4])
    change(state)
    return (*row[:4], json.dumps(state).encode())


def last(rows: list[Row], topic: str) -> int:
    """The place in the list of the last fact of a topic."""
    return max(place for place, row in enumerate(rows) if row[3].startswith(topic))


class Clinic:
    """A room, a service of one hour, and whatever is booked."""

    def __init__(self, *, capacity: int = 1, zone: str = "UTC") -> None:
        self.desk = RecordedDesk()
        self.room = self.desk.resource(capacity=capacity, time_zone=zone)
        self.service = self.desk.service(Requirement(resource_id=self.room))

    @property
    def rows(self) -> list[Row]:
        return self.desk.rows

    def hold(self, *, minutes: int) -> UUID:
        customer = self.desk.customer()
        command = Book(
            appointment_id=self.desk.new_id(),
            service_id=self.service,
            customer_id=customer,
            start=NINE,
            hold_min=minutes,
        )
        self.desk.do(book, command)
        return command.appointment_id

    def forger(self) -> Forger:
        return Forger(self.rows, self.desk.organization_id, self.desk.now)

    def claim_again(self, place: int, **changes: Any) -> int:
        """Plant a booking of another visit that claims what the claim at ``place`` of the rows claims."""
        original = self.rows[place]
        data = data_of(original) | {"appointment_id": str(uuid4())} | changes
        forger = self.forger()
        visit = {
            "appointment_id": data["appointment_id"],
            "service_id": str(self.service),
            "customer_id": str(uuid4()),
            "visit": data["claim"],
            "claim": data["claim"],
            "allotments": [{"resource_id": data["resource_id"], "quantity": data["quantity"]}],
        }
        forger.write(UUID(data["appointment_id"]), "appointment.booked.v1", visit)
        forger.write(*entered(visit), same_command=True)
        return forger.write(original[1], CLAIMED, data, same_command=True)


def entered(visit: Mapping[str, Any], **changes: Any) -> tuple[UUID, str, dict[str, Any]]:
    """The fact, with its stream and topic, that enters a visit of one month on its customer's page."""
    month = visit["visit"]["start"][:8] + "01"
    page = {"holder_id": visit["customer_id"], "month": month} | changes
    its = {key: visit[key] for key in ("appointment_id", "service_id", "visit")} | page
    return page_of(page), "booking_page.visit_entered.v1", its


def page_of(page: Mapping[str, str]) -> UUID:
    return uuid5(UUID(page["holder_id"]), page["month"][:7])


def only(findings: Findings, kind: str) -> None:
    assert dict(findings.counts) == {kind: 1}, findings.faults
