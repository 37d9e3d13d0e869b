"""The policy's matrix, made of the OpenAPI document: each operation, as each role sends it, about whose objects."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx

from tests.api.house import key

Document = dict[str, Any]
Objects = Mapping[str, str]
"""Ids by the name that they have in paths, queries and bodies."""

ROLES = ("owner", "manager", "staff", "practitioner", "auditor", "customer", "anonymous")
"""A practitioner is a member of staff who is assigned to one resource."""
RELATIONS = ("own", "assigned", "other", "elsewhere")
"""Whose the objects are: the customer's, of the practitioner's resource, others' of the house, another house's."""

LET_IN = frozenset({200, 201, 202, 204, 409, 412, 422})
"""It was done, or refused for what it says."""
SHUT_OUT = frozenset({403, 404})
LISTS_WHAT_IS_ASSIGNED = frozenset({"listAppointments", "listAttention"})
"""Lists that name nothing and yet show a practitioner what is theirs."""
NO_SUCH_VERSION = '"v999"'
"""Whoever may change the object is told that it has changed, and it stays as it is."""
BESIDE = frozenset({"override"})
"""What of a body asks for a right of its own."""
WINDOW = {"start": "2026-11-24", "end": "2026-11-25"}


@dataclass(frozen=True)
class Operation:
    """One of the document, with the row of the policy that it shows."""

    id: str
    method: str
    path: str
    declared: Mapping[str, Any]
    schemas: Mapping[str, Any]

    @property
    def reach(self) -> Mapping[str, str]:
        """How far each role reaches; a role that is not in it reaches nothing."""
        found: Mapping[str, str] = self.declared["x-permission"]["reach"]
        return found

    @property
    def statuses(self) -> frozenset[int]:
        return frozenset(int(status) for status in self.declared["responses"])

    def names(self, objects: Objects) -> set[str]:
        """Which ids a request about ``objects`` names."""
        asked = self._request(objects)
        return {name for name, value in objects.items() if value in f"{asked}"}

    def send(self, client: httpx.Client, objects: Objects) -> httpx.Response:
        return client.request(self.method, **self._request(objects))

    def _request(self, objects: Objects) -> dict[str, Any]:
        headers = {} if self.method == "GET" else key()
        if any(one["name"] == "If-Match" for one in self._parameters("header")):
            headers["If-Match"] = NO_SUCH_VERSION
        request: dict[str, Any] = {"url": self._path(objects), "params": self._query(objects), "headers": headers}
        body = self._body(objects)
        return request if body is None else {**request, "json": body}

    def _parameters(self, place: str) -> list[Mapping[str, Any]]:
        return [one for one in self.declared.get("parameters", ()) if one["in"] == place]

    def _path(self, objects: Objects) -> str:
        return self.path.format(**{one["name"]: quote(objects[one["name"]]) for one in self._parameters("path")})

    def _query(self, objects: Objects) -> dict[str, str]:
        wanted = {one["name"] for one in self._parameters("query") if one.get("required")}
        if self.id == "listNotifications":  # of one thing or another
            wanted = {"appointment_id"}
        if self.id == "explainSlot":
            return {"start": "2026-11-24T09:00:00Z"}
        if self.id == "getAuditProof":
            return {"position": "1"}
        return {name: objects.get(name, WINDOW.get(name, "")) for name in sorted(wanted)}

    def _body(self, objects: Objects) -> Any:
        content = self.declared.get("requestBody", {}).get("content", {})
        if "application/json" not in content:
            return None
        schema = self._resolved(content["application/json"]["schema"])
        example = schema.get("example", schema.get("examples", [{}])[0])
        known = schema.get("properties", {}).keys() & {"resource_id", "resource_ids"}
        return _filled({**dict.fromkeys(known, ""), **example}, objects)

    def _resolved(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        for one in schema.get("anyOf", ()):
            if "$ref" in one:
                return self._resolved(one)
        reference = schema.get("$ref")
        return self._resolved(self.schemas[reference.rpartition("/")[2]]) if reference else schema


def operations(document: Document) -> Iterator[Operation]:
    """Those that ask who calls, what takes away last."""
    found = [
        Operation(declared["operationId"], method.upper(), path, declared, document["components"]["schemas"])
        for path, methods in document["paths"].items()
        for method, declared in methods.items()
        if declared.get("security") == [{"bearer": []}]
    ]
    return iter(sorted(found, key=lambda one: one.method == "DELETE"))


def _filled(value: Any, objects: Objects) -> Any:
    """The example with the ids of these objects in the places of its own."""
    if not isinstance(value, dict):
        return [_filled(one, objects) for one in value] if isinstance(value, list) else value
    filled: dict[str, Any] = {}
    for name, given in value.items():
        if name in objects:
            filled[name] = objects[name]
        elif name.endswith("_ids") and name[:-1] in objects:
            filled[name] = [objects[name[:-1]]]
        elif given != "" and name not in BESIDE:
            filled[name] = _filled(given, objects)
    return filled


def expected(operation: Operation, role: str, relation: str, named: set[str]) -> Callable[[int], bool]:
    """What the answer's status must be. ``named``: the ids that the request names."""
    far = operation.reach.get("staff" if role == "practitioner" else role, "none")
    if role == "anonymous":
        return lambda status: status == 401
    if far == "none":
        return lambda status: status in SHUT_OUT
    if relation == "elsewhere" or operation.id == "getAuditProof":  # its fact is of nobody here
        # Among values of a body, what does not exist here may also be called unsuitable.
        return lambda status: status in SHUT_OUT or (status == 422 and operation.method != "GET")
    if far == "assigned" and role == "practitioner":
        # Of a visit, of a wait and of what names a resource it is known; a series is on none in particular.
        on_it = bool(named & {"appointment_id", "entry_id", "resource_id"}) and "series_id" not in named
        is_theirs = (relation == "assigned" and on_it) if named else operation.id in LISTS_WHAT_IS_ASSIGNED
        return lambda status: status in (LET_IN if is_theirs else SHUT_OUT)
    if far == "own" and relation != "own" and named:
        return lambda status: status in SHUT_OUT
    return lambda status: status in LET_IN
