"""A clinic to look at, set up through the HTTP API like any other. Set up again, it is the same clinic.

Every request has a fixed Idempotency-Key, so a second run is told what the first one was told.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from infra.demo_bookings import first_bookings
from infra.demo_client import Client, Unanswered

# Reserved for examples (RFC 2606, 555-01xx): should real credentials be at hand, nobody is written to.
PASSWORD = "harbour lights at dusk"  # noqa: S105  of a clinic that does not exist
OWNER, DESK, AUDITOR, PATIENT = (f"{name}@harbour.example" for name in ("olga", "dev", "ada", "maria"))
TIME_ZONE = "Europe/London"
HOURS = [{"weekday": day, "start": "09:00", "end": "17:00"} for day in ("MO", "TU", "WE", "TH", "FR")]


@dataclass(frozen=True, slots=True)
class Clinic:
    """What the demonstration clinic is known by. ``logins``: e-mail by role; all have the same password."""

    url: str
    organization_id: str
    location_id: str
    resource_ids: Mapping[str, str]
    service_ids: Mapping[str, str]
    customer_ids: Mapping[str, str]
    logins: Mapping[str, str]
    password: str = PASSWORD


def seed(url: str) -> Clinic:
    """Set up the clinic, or find it as it was. Raises ``Unanswered``."""
    front_door = Client(url)
    organization = front_door.post(
        "/v1/organizations",
        {
            "name": "Harbour Clinic",
            "time_zone": TIME_ZONE,
            "owner": {"email": OWNER, "password": PASSWORD, "display_name": "Olga Owner"},
        },
        key="demo-organization",
    )
    registered = front_door.post(
        "/v1/auth/register",
        {
            "organization_id": organization["id"],
            "email": PATIENT,
            "password": PASSWORD,
            "display_name": "Maria Patient",
            "phone": "+12025550123",
        },
        key="demo-patient",
    )
    owner = front_door.signed_in(OWNER, PASSWORD)
    for email, name, role in ((DESK, "Dev at the desk", "staff"), (AUDITOR, "Ada Auditor", "auditor")):
        account = {"email": email, "password": PASSWORD, "display_name": name, "role": role}
        owner.post("/v1/accounts", account, key=f"demo-{role}")
    location = owner.post("/v1/locations", {"name": "Harbour Street 1", "time_zone": TIME_ZONE}, key="demo-location")
    resources = _resources(owner, location["id"])
    clinic = Clinic(
        url=url,
        organization_id=organization["id"],
        location_id=location["id"],
        resource_ids=resources,
        service_ids=_services(owner, _physiotherapists(owner, resources)),
        customer_ids={"Maria Patient": registered["subject_id"], **_customers(owner)},
        logins={"owner": OWNER, "staff": DESK, "auditor": AUDITOR, "customer": PATIENT},
    )
    first_bookings(owner.signed_in(DESK, PASSWORD), clinic.service_ids, clinic.customer_ids)
    return clinic


def _resources(owner: Client, location_id: str) -> dict[str, str]:
    made = {}
    for name, kind, capacity in (
        ("Dr Ana Reis", "practitioner", 1),
        ("Dr Ben Cole", "practitioner", 1),
        ("Pat Lane", "physiotherapist", 1),
        ("Sam Hale", "physiotherapist", 1),
        ("Room 1", "room", 1),
        ("Room 2", "room", 1),
        ("Gym", "gym", 8),
        ("Studio", "studio", 1),
    ):
        body = {
            "name": name,
            "kind": kind,
            "capacity": capacity,
            "location_id": location_id,
            "time_zone": TIME_ZONE,
            "working_hours": HOURS,
        }
        made[name] = owner.post("/v1/resources", body, key=f"demo-resource-{name}")["id"]
    return made


def _physiotherapists(owner: Client, resource_ids: Mapping[str, str]) -> str:
    """The pool: whoever has less to do that day."""
    members = [resource_ids[name] for name in ("Pat Lane", "Sam Hale")]
    body = {"name": "Physiotherapists", "resource_ids": members, "strategy": "least_loaded"}
    return str(owner.post("/v1/pools", body, key="demo-pool")["id"])


def _services(owner: Client, pool_id: str) -> dict[str, str]:
    offers: list[dict[str, Any]] = [
        {
            "name": "Consultation",
            "duration_min": 30,
            "buffer_after_min": 5,
            "requirements": [{"kind": "practitioner"}, {"kind": "room"}],
            "price": {"amount": 6_000, "currency": "GBP"},
            "public": True,
        },
        {
            "name": "Course of physiotherapy",
            "duration_min": 45,
            "min_notice_min": 120,
            "cancellation_notice_min": 1_440,
            "requirements": [{"pool_id": pool_id}, {"kind": "gym", "quantity": 2}],
            "booking_limits": [{"per": "customer", "period": "week", "count": 2}],
        },
        {
            "name": "Yoga class",
            "duration_min": 60,
            "slot_step_min": 60,
            "seats": 3,
            "requirements": [{"kind": "studio"}],
        },
        {
            "name": "Second opinion",
            "duration_min": 60,
            "approval_required": True,
            "remind_before_min": [1_440],
            "requirements": [{"kind": "practitioner"}],
            "public": True,
        },
    ]
    return {
        offer["name"]: owner.post("/v1/services", offer, key=f"demo-service-{offer['name']}")["id"] for offer in offers
    }


def _customers(owner: Client) -> dict[str, str]:
    people = [
        {"display_name": "João Silva", "email": "joao@harbour.example", "phone": "+12025550145", "locale": "pt"},
        {"display_name": "Ivy Okafor", "email": "ivy@harbour.example"},
        {"display_name": "Noor Haddad", "email": "noor@harbour.example"},
    ]
    return {
        person["display_name"]: owner.post("/v1/customers", person, key=f"demo-customer-{person['email']}")["id"]
        for person in people
    }


def banner(clinic: Clinic, *, outbox_url: str | None = None) -> Iterator[str]:
    """What to look at, who to sign in as, and a first booking to paste."""
    yield ""
    yield f"Daybook is ready:  {clinic.url}"
    yield f"  booking page     {clinic.url}/book/{clinic.organization_id}"
    yield f"  API, to try out  {clinic.url}/docs"
    if outbox_url:
        yield f"  sent messages    {outbox_url}/"
    yield f"  organization     {clinic.organization_id}  (Harbour Clinic)"
    yield ""
    yield f'Sign in as (password "{clinic.password}"):'
    for role, email in clinic.logins.items():
        yield f"  {role:<9} {email}"
    yield ""
    yield "A first booking, to paste into another terminal:"
    yield ""
    yield from first_booking(clinic)
    yield ""
    yield "A class is full and Ivy waits for it: cancel a seat of it, and she is offered it in the same moment."
    yield "Ctrl-C stops everything; the data stays."


def first_booking(clinic: Clinic) -> Iterator[str]:
    """Shell lines that need curl and python3: sign in, take the first free slot, show the answer."""
    yield f"  API={clinic.url}/v1"
    yield f"  SERVICE={clinic.service_ids['Consultation']} CUSTOMER={clinic.customer_ids['Maria Patient']}"
    yield """  pick() { python3 -c "import json, sys; print(json.load(sys.stdin)$1)"; }"""
    yield f"  TOKEN=$(curl -s $API/auth/token -d grant_type=password -d username={clinic.logins['customer']} \\"
    yield f"""    --data-urlencode "password={clinic.password}" | pick "['access_token']")"""
    yield """  DAY() { python3 -c "import datetime as d; print(d.date.today() + d.timedelta(days=$1))"; }"""
    yield """  START=$(curl -s "$API/services/$SERVICE/slots?start=$(DAY 1)&end=$(DAY 8)" \\"""
    yield """    -H "Authorization: Bearer $TOKEN" | pick "['slots'][0]['start']")"""
    yield """  curl -si $API/appointments -H "Authorization: Bearer $TOKEN" -H "Idempotency-Key: $RANDOM$RANDOM" \\"""
    yield """    -H 'Content-Type: application/json' \\"""
    yield """    -d '{"service_id": "'$SERVICE'", "customer_id": "'$CUSTOMER'", "start": "'$START'"}'"""


def run(url: str, *, as_json: bool) -> int:
    """Set up the clinic and print it; 1 if the API does not answer."""
    try:
        clinic = seed(url.rstrip("/"))
    except Unanswered as failed:
        sys.stderr.write(f"daybook demo: {failed}\n")
        return 1
    if as_json:
        sys.stdout.write(json.dumps(asdict(clinic), indent=2) + "\n")
    else:
        sys.stdout.write("\n".join(banner(clinic)) + "\n")
    return 0
