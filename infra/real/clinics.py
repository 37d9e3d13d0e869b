"""The clinics of the data as organizations: each with its owner, practitioners and one service."""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from uuid import uuid5

from infra.real.client import KEYS, Client, Member, Unanswered
from infra.real.rows import ZONE, Row

OPENS, CLOSES = "07:00", "21:00"
"""The latest row was booked at 20:06 for the same evening."""
VISIT_MIN = 20
VISITS_A_DAY = 14 * 60 // VISIT_MIN
WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
PASSWORD = "a long walk along the bay of Vitória"  # noqa: S105  of organizations that live for one run


@dataclass(slots=True)
class Clinic:
    """``position`` is that of the clinic's last booking: the next look at its slots must have seen it."""

    name: str
    member: Member
    service_id: str
    customers: dict[int, str] = field(default_factory=dict)
    reminded: frozenset[int] = frozenset()
    position: int | None = None

    async def customer(self, patient_id: int) -> str:
        """The customer's id; entered at the first visit. Who got a reminder in the data has a phone."""
        known = self.customers.get(patient_id)
        if known is None:
            person = {"display_name": f"Patient {patient_id}", "locale": "pt-BR"}
            if patient_id in self.reminded:
                person["phone"] = f"+552799{patient_id:07d}"
            key = f"customer {self.name} {patient_id}"
            known = str((await self.member.must("POST", "/v1/customers", json=person, key=key)).body["id"])
            self.customers[patient_id] = known
        return known


def practitioners_needed(rows: Sequence[Row]) -> dict[str, int]:
    """By clinic: as many as its busiest day needs."""
    visits: Counter[tuple[str, date]] = Counter((row.clinic, row.day) for row in rows)
    busiest: dict[str, int] = defaultdict(int)
    for (clinic, _), count in visits.items():
        busiest[clinic] = max(busiest[clinic], count)
    return {clinic: math.ceil(count / VISITS_A_DAY) for clinic, count in sorted(busiest.items())}


async def set_up(client: Client, rows: Sequence[Row], tell: Callable[[int, int], None]) -> Mapping[str, Clinic]:
    """Sign up every clinic of the rows, one after another; ``tell`` hears how many are done, and of how many."""
    reminded: dict[str, set[int]] = defaultdict(set)
    for row in rows:
        if row.reminded:
            reminded[row.clinic].add(row.patient_id)
    clinics: dict[str, Clinic] = {}
    needed = practitioners_needed(rows)
    for name, practitioners in needed.items():
        clinics[name] = await _set_up(client, name, practitioners, frozenset(reminded[name]))
        tell(len(clinics), len(needed))
    return clinics


async def _set_up(client: Client, name: str, practitioners: int, reminded: frozenset[int]) -> Clinic:
    email = f"owner-{uuid5(KEYS, name).hex[:12]}@clinics.example"
    zone = ZONE.key
    owner = {"email": email, "password": PASSWORD, "display_name": f"Owner of {name}"}
    organization = {"name": name, "time_zone": zone, "owner": owner}
    signed_up = await client.call("POST", "/v1/organizations", json=organization, key=f"organization {name}")
    if not signed_up.ok:
        raise Unanswered(f"sign-up of {name}: {signed_up.status} {signed_up.body}")
    member = Member(client, email, PASSWORD)
    place = {"name": name, "time_zone": zone}
    location = (await member.must("POST", "/v1/locations", json=place, key=f"location {name}")).body["id"]
    hours = [{"weekday": weekday, "start": OPENS, "end": CLOSES} for weekday in WEEKDAYS]
    for number in range(1, practitioners + 1):
        practitioner = {
            "name": f"Practitioner {number}",
            "kind": "practitioner",
            "location_id": location,
            "time_zone": zone,
            "working_hours": hours,
        }
        await member.must("POST", "/v1/resources", json=practitioner, key=f"practitioner {name} {number}")
    visit = {
        "name": "Consulta",
        "duration_min": VISIT_MIN,
        "slot_step_min": VISIT_MIN,
        "requirements": [{"kind": "practitioner"}],
        "customer_overlap_allowed": True,  # the data has patients with several visits at once
    }
    service = await member.must("POST", "/v1/services", json=visit, key=f"service {name}")
    return Clinic(name, member, str(service.body["id"]), reminded=reminded, position=service.position)
