"""SECURITY.md row 12: amounts are the server's. No price is below nothing, and who books does not say what it costs."""

from typing import Any

import pytest

from tests.api.house import House, made, problem

pytestmark = pytest.mark.security(12)

NEGATIVE = {"amount": -1, "currency": "BRL"}
MONEY = ("price", "amount", "total", "currency", "discount", "paid", "fee")


def test_a_negative_price_is_refused(house: House) -> None:
    service = {"name": "X", "duration_min": 30, "requirements": [{"kind": "practitioner"}]}
    head = house.api.head()

    offered = house.post("/services", {**service, "price": NEGATIVE})
    changed = house["owner"].patch(
        f"/v1/services/{house.service_id}", json={"price": NEGATIVE}, headers={"If-Match": "*"}
    )

    for refused in (offered, changed):
        document = problem(refused, 422, "invalid-request")
        assert document["errors"][0]["pointer"] == "/price/amount"
    assert house.api.head() == head


@pytest.mark.parametrize("field", MONEY)
@pytest.mark.parametrize("value", [-1, 0, 1, {"amount": 1, "currency": "BRL"}], ids=str)
def test_who_books_does_not_say_what_it_costs(house: House, field: str, value: object) -> None:
    head = house.api.head()
    version = made(house.get(f"/appointments/{house.appointment_id}"), 200)["version"]

    booked = house.book("2027-02-04T10:00:00Z", role="customer", **{field: value})
    moved = house.post(
        f"/appointments/{house.appointment_id}/reschedule",
        {"start": "2027-02-04T11:00:00Z", field: value},
        role="customer",
        **{"If-Match": f'"v{version}"'},
    )

    for refused in (booked, moved):
        assert problem(refused, 422, "invalid-request")["errors"][0]["pointer"] == f"/{field}"
    assert house.api.head() == head


def test_no_body_of_the_contract_takes_an_amount_below_nothing(house: House) -> None:
    """Of operations that are added later, too."""
    document = made(house["owner"].get("/openapi.json"), 200)

    amounts = list(_amounts(document["components"]["schemas"], document["paths"]))

    assert amounts
    for where, schema in amounts:
        assert schema.get("minimum", schema.get("exclusiveMinimum", -1)) >= 0, where


def _amounts(schemas: dict[str, Any], paths: dict[str, Any]) -> Any:
    """Every property called ``amount`` of what requests carry."""
    todo = [operation["requestBody"] for methods in paths.values() for operation in methods.values()
            if "requestBody" in operation]  # fmt: skip
    seen: set[str] = set()
    while todo:
        found = todo.pop()
        if isinstance(found, list):
            todo += found
        elif isinstance(found, dict):
            name = str(found.get("$ref", "")).rpartition("/")[2]
            if name and name not in seen:
                seen.add(name)
                todo.append(schemas[name])
            properties = found.get("properties")
            if isinstance(properties, dict) and "amount" in properties:
                yield found.get("title"), properties["amount"]
            todo += list(found.values())
