"""A clinic to look at, set up through the HTTP API like any other. Set up again, it is the same clinic.

Every request has a fixed Idempotency-Key, so a second run is told what the first one was told.
"""

import json
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

# Reserved for examples (RFC 2606, 555-01xx): should real credentials be at hand, nobody is written to.
PASSWORD = "harbour lights at dusk"  # noqa: S105  of a clinic that does not exist
OWNER, DESK, AUDITOR, PATIENT = (f"{name}@harbour.example" for name in ("olga", "dev", "ada", "maria"))
TIME_ZONE = "Europe/London"
HOURS = [{"weekday": day, "start": "09:00", "end": "17:00"} for day in ("MO", "TU", "WE", "TH", "FR")]


CATCHES_UP_AFTER_CALLS = 15
RETRY_AFTER_S = 1.0


class Unanswered(Exception):  # noqa: N818
    """The API did not answer as it should; the message is what it said."""


class NotYet(Unanswered):
    """503: to be asked again."""


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
    front_door = _Client(url)
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
    owner = front_door.signed_in(OWNER)
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
        service_ids=_services(owner),
        customer_ids={"Maria Patient": registered["subject_id"], **_customers(owner)},
        logins={"owner": OWNER, "staff": DESK, "auditor": AUDITOR, "customer": PATIENT},
    )
    _first_appointments(owner.signed_in(DESK), clinic)
    return clinic


def _resources(owner: "_Client", location_id: str) -> dict[str, str]:
    made = {}
    for name, kind, capacity in (
        ("Dr Ana Reis", "practitioner", 1),
        ("Dr Ben Cole", "practitioner", 1),
        ("Room 1", "room", 1),
        ("Room 2", "room", 1),
        ("Gym", "gym", 8),
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


def _services(owner: "_Client") -> dict[str, str]:
    offers: list[dict[str, Any]] = [
        {
            "name": "Consultation",
            "duration_min": 30,
            "buffer_after_min": 5,
            "requirements": [{"kind": "practitioner"}, {"kind": "room"}],
            "price": {"amount": 6_000, "currency": "GBP"},
        },
        {
            "name": "Physiotherapy",
            "duration_min": 45,
            "min_notice_min": 120,
            "cancellation_notice_min": 1_440,
            "requirements": [{"kind": "gym"}],
        },
    ]
    return {
        offer["name"]: owner.post("/v1/services", offer, key=f"demo-service-{offer['name']}")["id"] for offer in offers
    }


def _customers(owner: "_Client") -> dict[str, str]:
    people = [
        {"display_name": "João Silva", "email": "joao@harbour.example", "phone": "+12025550145", "locale": "pt"},
        {"display_name": "Ivy Okafor", "email": "ivy@harbour.example"},
    ]
    return {
        person["display_name"]: owner.post("/v1/customers", person, key=f"demo-customer-{person['email']}")["id"]
        for person in people
    }


def _first_appointments(desk: "_Client", clinic: Clinic) -> None:
    """Two visits of the coming week, unless there were ever any."""
    if desk.get("/v1/appointments", limit="1")["items"]:
        return
    service_id = clinic.service_ids["Consultation"]
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).date()
    window = {"start": tomorrow.isoformat(), "end": (tomorrow + timedelta(days=7)).isoformat()}
    slots = desk.get(f"/v1/services/{service_id}/slots", **window)["slots"]
    for customer, slot in zip(("Maria Patient", "João Silva"), (slots[0], slots[8]), strict=True):
        body = {"service_id": service_id, "customer_id": clinic.customer_ids[customer], "start": slot["start"]}
        desk.post("/v1/appointments", body, key=f"demo-visit-{customer}-{slot['start']}")
    desk.get("/v1/appointments", limit="1")  # whoever is told that the clinic is ready finds it whole


def banner(clinic: Clinic, *, outbox_url: str | None = None) -> Iterator[str]:
    """What to look at, who to sign in as, and a first booking to paste."""
    yield ""
    yield f"Daybook is ready:  {clinic.url}"
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


class _Client:
    """JSON over HTTP. A query carries the position of the last command, so it sees what was just done."""

    def __init__(self, url: str, token: str | None = None, position: str = "0") -> None:
        self._url, self._token, self._position = url, token, position

    def signed_in(self, email: str) -> "_Client":
        form = urllib.parse.urlencode({"grant_type": "password", "username": email, "password": PASSWORD})
        content = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = self._call("POST", "/v1/auth/token", form.encode(), content)
        return _Client(self._url, answer["access_token"], self._position)

    def post(self, path: str, body: Mapping[str, Any], *, key: str) -> dict[str, Any]:
        # Keys are ASCII; the names in ours are not.
        headers = {"Content-Type": "application/json", "Idempotency-Key": urllib.parse.quote(key)}
        return self._call("POST", path, json.dumps(body).encode(), headers)

    def get(self, path: str, **query: str) -> dict[str, Any]:
        path = f"{path}?{urllib.parse.urlencode(query)}" if query else path
        for _ in range(CATCHES_UP_AFTER_CALLS):
            try:
                return self._call("GET", path, None, {"Journal-Position": self._position})
            except NotYet:
                time.sleep(RETRY_AFTER_S)  # a machine that is only just starting takes its time
        raise Unanswered(f"GET {path}: the read models do not catch up")

    def _call(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> dict[str, Any]:
        request = urllib.request.Request(self._url + path, data=body, headers=dict(headers), method=method)  # noqa: S310
        if self._token:
            request.add_header("Authorization", f"Bearer {self._token}")
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310  the operator's own URL
                self._position = answer.headers.get("Journal-Position", self._position)
                found: dict[str, Any] = json.load(answer)
                return found
        except urllib.error.HTTPError as refused:
            raise (NotYet if refused.code == 503 else Unanswered)(
                f"{method} {path}: {refused.code} {refused.read().decode(errors='replace')}"
            ) from None
        except OSError as unreachable:
            raise Unanswered(f"{method} {path}: {unreachable}") from None
