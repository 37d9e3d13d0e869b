"""Who may do what, and that nobody sees another organization: SECURITY.md rows 1 to 6 and 11."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
import pytest

from domain.account import Role
from domain.permissions import PERMISSIONS, Reach
from tests.api.house import PASSWORD, House, key, made, opened_house, problem
from tests.api.running_api import RunningApi

ROLES = ("owner", "manager", "staff", "auditor", "customer", "anonymous")
OPEN_TO_ALL = {"signUpOrganization", "issueToken", "registerCustomerAccount", "listProblems", "getProblem"}
ABOUT_THE_PROCESS = {"livez", "healthz", "readyz", "metrics"}


@dataclass(frozen=True)
class Operation:
    """One operation of the contract: how it is called on the objects of a house, and the permission that it asks for.

    ``own``: the object is the customer's own.
    """

    id: str
    permission: str
    call: Callable[[House, httpx.Client], httpx.Response]
    own: bool = False


def _get(path: str, **query: str) -> Callable[[House, httpx.Client], httpx.Response]:
    return lambda house, client: client.get(_filled(path, house), params=query)


def _send(
    method: str, path: str, body: Callable[[House], object] | None = None, *, if_match: bool = False
) -> Callable[[House, httpx.Client], httpx.Response]:
    def call(house: House, client: httpx.Client) -> httpx.Response:
        # No such version: whoever may change the object is told so, and the object stays as it is.
        headers = {**key(), **({"If-Match": '"v999"'} if if_match else {})}
        return client.request(method, _filled(path, house), json=body(house) if body else None, headers=headers)

    return call


def _filled(path: str, house: House) -> str:
    ids = {
        "organization": house.id,
        "customer": house.customer_id,
        "resource": house.resource_id,
        "service": house.service_id,
        "location": house.location_id,
        "appointment": house.appointment_id,
        "closure": house.closure_id,
        "account": house.account_ids["staff"],
        "pool": house.pool_id,
    }
    return "/v1" + path.format(**ids)


def _booking(house: House) -> dict[str, object]:
    return {"service_id": house.service_id, "customer_id": house.customer_id, "start": "2026-11-20T09:00:00Z"}


def _overriding(house: House) -> dict[str, object]:
    return {**_booking(house), "override": {"rules": ["slot_grid"], "reason": "X"}}


def _closing(_: House) -> dict[str, object]:
    return {"start": "2027-03-06T00:00:00Z", "end": "2027-03-07T00:00:00Z"}


def _pool(house: House) -> dict[str, object]:
    return {"name": "X", "resource_ids": [house.resource_id], "strategy": "priority"}


def _account(_: House) -> dict[str, object]:
    return {"email": f"{uuid4().hex}@x.test", "password": PASSWORD, "display_name": "X", "role": "staff"}


WINDOW = {"start": "2026-11-24", "end": "2026-11-25"}
OPERATIONS = (
    Operation("listOrganizations", "organization.read", _get("/organizations")),
    Operation("getOrganization", "organization.read", _get("/organizations/{organization}")),
    Operation(
        "changeOrganization",
        "organization.change",
        _send("PATCH", "/organizations/{organization}", lambda _: {"name": "X"}, if_match=True),
    ),
    Operation("openAccount", "account.create", _send("POST", "/accounts", _account)),
    Operation("listAccounts", "account.read", _get("/accounts"), own=True),
    Operation("getAccount", "account.read", _get("/accounts/{account}")),
    Operation("registerCustomer", "customer.create", _send("POST", "/customers", lambda _: {"display_name": "X"})),
    Operation("listCustomers", "customer.read", _get("/customers"), own=True),
    Operation("getCustomer", "customer.read", _get("/customers/{customer}"), own=True),
    Operation(
        "changeCustomer",
        "customer.change",
        _send("PATCH", "/customers/{customer}", lambda _: {"display_name": "X"}, if_match=True),
        own=True,
    ),
    Operation(
        "openLocation", "location.create", _send("POST", "/locations", lambda _: {"name": "X", "time_zone": "UTC"})
    ),
    Operation("listLocations", "location.read", _get("/locations")),
    Operation("getLocation", "location.read", _get("/locations/{location}")),
    Operation(
        "changeLocation",
        "location.change",
        _send("PATCH", "/locations/{location}", lambda _: {"name": "X"}, if_match=True),
    ),
    Operation(
        "addResource",
        "resource.create",
        _send("POST", "/resources", lambda _: {"name": "X", "kind": "spare", "time_zone": "UTC"}),
    ),
    Operation("listResources", "resource.read", _get("/resources")),
    Operation("getResource", "resource.read", _get("/resources/{resource}")),
    Operation(
        "changeResource",
        "resource.change",
        _send("PATCH", "/resources/{resource}", lambda _: {"name": "X"}, if_match=True),
    ),
    Operation(
        "setWorkingHours",
        "resource.change",
        _send("PUT", "/resources/{resource}/working-hours", lambda _: {"working_hours": []}, if_match=True),
    ),
    Operation("getWorkingHours", "resource.read", _get("/resources/{resource}/working-hours")),
    Operation(
        "setHolidays",
        "location.change",
        _send("PUT", "/locations/{location}/holidays", lambda _: {"extra": []}, if_match=True),
    ),
    Operation("getHolidays", "location.read", _get("/locations/{location}/holidays")),
    Operation("createPool", "pool.create", _send("POST", "/pools", _pool)),
    Operation("listPools", "pool.read", _get("/pools")),
    Operation("getPool", "pool.read", _get("/pools/{pool}")),
    Operation("changePool", "pool.change", _send("PATCH", "/pools/{pool}", lambda _: {"name": "X"}, if_match=True)),
    Operation("closeResource", "closure.create", _send("POST", "/resources/{resource}/closures", _closing)),
    Operation("listClosures", "closure.read", _get("/resources/{resource}/closures")),
    Operation("getClosure", "closure.read", _get("/resources/{resource}/closures/{closure}")),
    Operation("getCalendar", "calendar.read", _get("/resources/{resource}/calendar", **WINDOW)),
    Operation(
        "offerService",
        "service.create",
        _send("POST", "/services", lambda _: {"name": "X", "duration_min": 0, "requirements": [{"kind": "spare"}]}),
    ),
    Operation("listServices", "service.read", _get("/services")),
    Operation("getService", "service.read", _get("/services/{service}")),
    Operation(
        "changeService",
        "service.change",
        _send("PATCH", "/services/{service}", lambda _: {"name": "X"}, if_match=True),
    ),
    Operation("findSlots", "slots.read", _get("/services/{service}/slots", **WINDOW)),
    Operation("explainSlot", "slots.read", _get("/services/{service}/slots/explain", start="2026-11-24T09:00:00Z")),
    Operation("bookAppointment", "appointment.book", _send("POST", "/appointments", _booking), own=True),
    Operation("bookAppointment", "appointment.override", _send("POST", "/appointments", _overriding), own=True),
    Operation("listAppointments", "appointment.read", _get("/appointments"), own=True),
    Operation("getAppointment", "appointment.read", _get("/appointments/{appointment}"), own=True),
    Operation("getAppointmentHistory", "appointment.history", _get("/appointments/{appointment}/history"), own=True),
    Operation(
        "confirmAppointment", "appointment.confirm", _send("POST", "/appointments/{appointment}/confirm"), own=True
    ),
    Operation(
        "rescheduleAppointment",
        "appointment.reschedule",
        _send(
            "POST",
            "/appointments/{appointment}/reschedule",
            lambda _: {"start": "2026-11-24T12:00:00Z"},
            if_match=True,
        ),
        own=True,
    ),
    Operation(
        "cancelAppointment",
        "appointment.cancel",
        _send("POST", "/appointments/{appointment}/cancel", if_match=True),
        own=True,
    ),
    Operation("approveAppointment", "appointment.approve", _send("POST", "/appointments/{appointment}/approve")),
    Operation("checkInAppointment", "appointment.check_in", _send("POST", "/appointments/{appointment}/check-in")),
    Operation("fulfilAppointment", "appointment.fulfil", _send("POST", "/appointments/{appointment}/fulfil")),
    Operation("markAppointmentNoShow", "appointment.no_show", _send("POST", "/appointments/{appointment}/no-show")),
    Operation("listAttention", "attention.read", _get("/attention")),
    Operation(
        "listNotifications",
        "notification.read",
        lambda house, client: client.get("/v1/notifications", params={"appointment_id": house.appointment_id}),
    ),
    Operation("listFacts", "audit.read", _get("/audit/facts")),
    # Last: they change what the others look at.
    Operation(
        "retireResource",
        "resource.change",
        _send("POST", "/resources/{resource}/retire", lambda _: {"retired_at": "2030-01-01T00:00:00Z"}),
    ),
    Operation("reinstateResource", "resource.change", _send("POST", "/resources/{resource}/reinstate")),
    Operation("reopenResource", "closure.create", _send("DELETE", "/resources/{resource}/closures/{closure}")),
)
ACCEPTED = {200, 201, 409, 412, 422}
"""The operation was let in: it was done, or refused for what it says."""


@pytest.fixture(scope="module")
def neighbour(api: RunningApi) -> House:
    return opened_house(api)


def test_every_operation_of_the_contract_has_a_row_here(house: House) -> None:
    paths = house["owner"].get("/openapi.json").json()["paths"]
    operations = {operation["operationId"] for methods in paths.values() for operation in methods.values()}

    assert {operation.id for operation in OPERATIONS} == operations - OPEN_TO_ALL - ABOUT_THE_PROCESS


def test_every_permission_is_asked_for_somewhere() -> None:
    of_the_clock = {"appointment.lapse", "appointment.release", "appointment.remind", "waitlist.offer"}

    assert {operation.permission for operation in OPERATIONS} | of_the_clock == PERMISSIONS.keys()


@pytest.fixture(scope="module")
def declared(house: House) -> dict[str, set[str]]:
    """The statuses that each operation declares, by its id."""
    paths = house["owner"].get("/openapi.json").json()["paths"]
    return {
        operation["operationId"]: set(operation["responses"])
        for methods in paths.values()
        for operation in methods.values()
    }


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.id)
def test_a_role_reaches_what_the_table_says(
    house: House, declared: dict[str, set[str]], operation: Operation, role: str
) -> None:
    answer = operation.call(house, house[role])

    assert str(answer.status_code) in declared[operation.id], answer.text
    if role == "anonymous":
        problem(answer, 401, "unauthenticated")
        return
    match PERMISSIONS[operation.permission].get(Role(role), Reach.NONE):
        case Reach.ALL:
            assert answer.status_code in ACCEPTED | {404}, answer.text
            assert answer.status_code != 404 or operation.id in {"getClosure", "reopenResource"}
        case Reach.OWN if operation.own or role == "staff":
            assert answer.status_code in ACCEPTED, answer.text
        case Reach.OWN:
            problem(answer, 404, "not-found")
        case Reach.NONE:
            problem(answer, 403, "forbidden")


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.id)
def test_another_organizations_objects_do_not_exist(house: House, neighbour: House, operation: Operation) -> None:
    head = house.api.head()

    answer = operation.call(house, neighbour["owner"])

    if operation.id in CREATES_IN_ONES_OWN:
        assert answer.status_code in {201, 422}
    elif operation.id.startswith("list") and operation.id not in {"listClosures", "listNotifications"}:
        text = made(answer, 200)
        for secret in (house.id, house.customer_id, house.resource_id, house.service_id, house.appointment_id):
            assert secret not in str(text)
    else:
        problem(answer, 404, "not-found")
        assert house.api.head() == head


CREATES_IN_ONES_OWN = {"openAccount", "registerCustomer", "openLocation", "addResource", "offerService"}


def test_nothing_is_built_on_another_organizations_objects(house: House, neighbour: House) -> None:
    head = house.api.head()
    spare: dict[str, Any] = {"name": "X", "kind": "spare", "time_zone": "UTC", "location_id": house.location_id}
    service = {"name": "X", "duration_min": 30, "requirements": [{"resource_id": house.resource_id}]}
    booking = {
        "service_id": neighbour.service_id,
        "customer_id": neighbour.customer_id,
        "start": "2026-11-24T09:00:00Z",
    }

    problem(neighbour.post("/resources", spare), 404, "not-found")
    problem(neighbour.post("/services", service), 404, "not-found")
    problem(neighbour.post("/appointments", {**booking, "customer_id": house.customer_id}), 404, "not-found")
    problem(neighbour.post("/appointments", {**booking, "service_id": house.service_id}), 404, "not-found")
    foreign_resource = {**booking, "resource_ids": [house.resource_id]}
    problem(neighbour.post("/appointments", foreign_resource), 422, "resource-not-suitable")
    query = {"appointment_id": house.appointment_id}
    problem(neighbour["owner"].get("/v1/notifications", params=query), 404, "not-found")
    assert house.api.head() == head


def test_a_customer_does_not_reach_another_customers_visits(house: House) -> None:
    body = {"organization_id": house.id, "email": f"{uuid4().hex}@x.test", "password": PASSWORD, "display_name": "Eva"}
    with house.api.client() as anyone:
        eva = made(anyone.post("/v1/auth/register", json=body, headers=key()))
        form = {"grant_type": "password", "username": body["email"], "password": PASSWORD}
        token = made(anyone.post("/v1/auth/token", data=form), 200)["access_token"]
    head = house.api.head()
    with house.api.client(token) as client:
        for operation in OPERATIONS:
            if operation.permission.startswith("appointment.") and operation.id != "listAppointments":
                answer = operation.call(house, client)
                assert answer.status_code in {403, 404}, operation.id
        problem(client.get(f"/v1/customers/{house.customer_id}"), 404, "not-found")
        problem(client.get("/v1/appointments", params={"customer_id": house.customer_id}), 403, "forbidden")
        assert made(client.get("/v1/appointments"), 200)["items"] == []
        assert [one["id"] for one in made(client.get("/v1/customers"), 200)["items"]] == [eva["subject_id"]]
        assert made(client.get(f"/v1/customers/{eva['subject_id']}"), 200)["display_name"] == "Eva"
    assert house.api.head() == head
