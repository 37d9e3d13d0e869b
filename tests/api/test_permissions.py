"""Who may do what, and that nobody sees another organization: SECURITY.md rows 1 to 6 and 11."""

from typing import Any
from uuid import uuid4

import pytest

from domain.account import Role
from domain.permissions import PERMISSIONS, Reach
from tests.api.house import PASSWORD, House, key, made, opened_house, problem
from tests.api.operations import OPERATIONS, Operation
from tests.api.running_api import RunningApi

ROLES = ("owner", "manager", "staff", "auditor", "customer", "anonymous")
OPEN_TO_ALL = {
    "signUpOrganization",
    "issueToken",
    "getSigningKeys",
    "registerCustomerAccount",
    "verifyEmail",
    "requestPasswordReset",
    "resetPassword",
    "listProblems",
    "getProblem",
}
SIGNED_BY_THE_PROVIDER = {"hearTwilio", "hearSendGrid"}
OF_VISITORS = {
    *("getPublicHouse", "listPublicServices", "findPublicSlots", "bookAsVisitor", "requestVisitorCode"),
    *("confirmAsVisitor", "issueManageLink", "getManagedVisit", "rescheduleManagedVisit", "cancelManagedVisit"),
}
"""Nobody signs in to these: see ``test_visitors``."""
ABOUT_THE_PROCESS = {"livez", "healthz", "readyz", "metrics"}
ABOUT_ONESELF = {
    "signOut",
    "requestVerification",
    "changePassword",
    "beginSecondFactor",
    "confirmSecondFactor",
    "removeSecondFactor",
    "renewRecoveryCodes",
}
"""There is no object that could be another organization's."""
ACCEPTED = {200, 201, 202, 409, 412, 422}
"""The operation was let in: it was done, or refused for what it says."""


@pytest.fixture(scope="module")
def neighbour(api: RunningApi) -> House:
    return opened_house(api)


def test_every_operation_of_the_contract_has_a_row_here(house: House) -> None:
    paths = house["owner"].get("/openapi.json").json()["paths"]
    operations = {operation["operationId"] for methods in paths.values() for operation in methods.values()}

    unsigned = OPEN_TO_ALL | OF_VISITORS | ABOUT_THE_PROCESS | SIGNED_BY_THE_PROVIDER
    assert {operation.id for operation in OPERATIONS} == operations - unsigned


def test_every_permission_is_asked_for_somewhere() -> None:
    of_the_clock = {
        "appointment.lapse",
        "appointment.release",
        "appointment.remind",
        "waitlist.offer",
        "webhook.disable",
    }

    of_visitors = {operation for operation, row in PERMISSIONS.items() if row.keys() == {Role.VISITOR}}

    assert of_visitors
    assert {operation.permission for operation in OPERATIONS} | of_the_clock | of_visitors == PERMISSIONS.keys()


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
            assert answer.status_code != 404 or operation.id in {
                "getClosure",
                "reopenResource",
                "leaveWaitlist",
                "removeWebhook",
            }
        case Reach.OWN if operation.own or role == "staff":
            assert answer.status_code in ACCEPTED, answer.text
        case Reach.OWN:
            problem(answer, 404, "not-found")
        case Reach.NONE:
            problem(answer, 403, "forbidden")


@pytest.mark.parametrize(
    "operation", [one for one in OPERATIONS if one.id not in ABOUT_ONESELF], ids=lambda operation: operation.id
)
def test_another_organizations_objects_do_not_exist(house: House, neighbour: House, operation: Operation) -> None:
    head = house.api.head()

    answer = operation.call(house, neighbour["owner"])

    if operation.id in CREATES_IN_ONES_OWN:
        assert answer.status_code in {201, 422}
    elif operation.id in ABOUT_ONESELF:
        assert answer.status_code in {200, 202, 409, 422}
    elif operation.id.startswith("list") and operation.id not in {
        "listClosures",
        "listNotifications",
        "listWebhookDeliveries",
    }:
        text = made(answer, 200)
        for secret in (house.id, house.customer_id, house.resource_id, house.service_id, house.appointment_id):
            assert secret not in str(text)
    else:
        problem(answer, 404, "not-found")
        assert house.api.head() == head


CREATES_IN_ONES_OWN = {
    "issueApiKey",
    "openAccount",
    "registerCustomer",
    "openLocation",
    "addResource",
    "offerService",
    "addWebhook",
}


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
            about_visits = operation.permission.startswith(("appointment.", "series."))
            if about_visits and operation.id not in {"listAppointments", "listSeries"}:
                answer = operation.call(house, client)
                assert answer.status_code in {403, 404}, operation.id
        problem(client.get(f"/v1/customers/{house.customer_id}"), 404, "not-found")
        problem(client.get("/v1/appointments", params={"customer_id": house.customer_id}), 403, "forbidden")
        assert made(client.get("/v1/appointments"), 200)["items"] == []
        assert made(client.get("/v1/series"), 200)["items"] == []
        assert [one["id"] for one in made(client.get("/v1/customers"), 200)["items"]] == [eva["subject_id"]]
        assert made(client.get(f"/v1/customers/{eva['subject_id']}"), 200)["display_name"] == "Eva"
    assert house.api.head() == head


def test_a_forbidden_call_is_visible_to_the_auditor(house: House) -> None:
    for _ in range(3):
        problem(house.get("/audit/facts", role="staff"), 403, "forbidden")

    query = {"topic": "access.call_forbidden.v1", "limit": "200", "actor_id": house.account_ids["staff"]}
    noted = made(house["auditor"].get("/v1/audit/facts", params=query), 200)["items"]

    of_these = [one["data"] for one in noted if one["data"]["operation"] == "audit.read"]
    assert [one["times"] for one in of_these] == [1]  # the others of this minute are counted
    assert of_these[0]["account_id"] == house.account_ids["staff"]
