"""How a route declares itself: its answer, its headers and every problem that it may meet, for the OpenAPI document."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel, ConfigDict, Field

from api.problems import MEDIA_TYPE
from domain.account import Role
from domain.permissions import PERMISSIONS

_STATUS = {
    400: "The request cannot be read, or its Idempotency-Key is missing.",
    401: "No valid bearer token, or link.",
    403: "The role, or the signature, does not allow it.",
    404: "No such object in this organization.",
    409: "The present state, or another booking, is against it.",
    412: "If-Match names an earlier version.",
    413: "The body is larger than 1 MiB.",
    415: "The body is of another media type.",
    422: "Values that are not valid, or an Idempotency-Key that was used with another request.",
    428: "If-Match is missing.",
    429: "Asked too often: try again after Retry-After seconds.",
    503: "Not at the moment: try again after Retry-After seconds.",
}
_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "Names this command. The same key and body again: the same answer again, and nothing else happens.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
    "example": "9f1c6f0e-3f5e-4d4c-9a53-0c7d2b7f2f10",
}
_IF_MATCH = {
    "name": "If-Match",
    "in": "header",
    "description": "The ETag of the version that you saw.",
    "schema": {"type": "string"},
    "example": '"v7"',
}
_POSITION = {
    "name": "Journal-Position",
    "in": "header",
    "required": False,
    "description": "Wait up to 2 s until what this position recorded can be read.",
    "schema": {"type": "integer", "minimum": 0},
}
_TOLD = {"schema": {"type": "integer"}, "description": "The position of the command's last fact in the journal."}
_REPLAYED = {"schema": {"type": "string", "const": "true"}, "description": "Present when the command was done before."}
_ETAG = {"schema": {"type": "string"}, "example": '"v1"', "description": "The object's version."}
_LOCATION = {"schema": {"type": "string"}, "description": "Where the new object is."}


By = Literal["bearer", "link", "anyone"]
"""What one comes with: a token of one's own, the link of a visit, nothing."""
_SECURITY: Mapping[By, list[dict[str, list[str]]]] = {
    "bearer": [{"bearer": []}],
    "link": [{"manage": []}],
    "anyone": [],
}
MANAGE_SCHEME = {
    "manage": {
        "type": "http",
        "scheme": "Manage",
        "description": "The token behind # in the link that a visitor was sent: Authorization: Manage TOKEN.",
    }
}


class InvalidMember(BaseModel):
    """One value that is wrong: where (RFC 6901) and why."""

    pointer: str
    detail: str


class AlternativeSlot(BaseModel):
    start: str
    end: str
    resource_ids: list[str]


class Problem(BaseModel):
    """RFC 9457. Refusals add the facts that they know, such as ``earliest`` or ``deadline``."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "example": {
                "type": "/problems/slot-taken",
                "title": "The slot is taken.",
                "status": 409,
                "detail": "The slot is taken.",
                "instance": "/v1/appointments",
                "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
                "alternatives": [
                    {
                        "start": "2027-03-01T09:15:00Z",
                        "end": "2027-03-01T09:45:00Z",
                        "resource_ids": ["2f0e3a52-5a0c-4a39-9f55-4b8a6d0f8a11"],
                    }
                ],
            }
        },
    )

    type: str = Field(description="A stable path; its page says what it means.")
    title: str
    status: int
    detail: str
    instance: str
    trace_id: str
    errors: list[InvalidMember] | None = None
    alternatives: list[AlternativeSlot] | None = None


def command(  # noqa: PLR0913  each is a trait of its own
    answer: type[BaseModel] | None,
    operation_id: str,
    permission: str | None,
    *,
    creates: bool = False,
    accepted: bool = False,
    by: By = "bearer",
    key_required: bool = True,
    if_match: bool | Literal["optional"] = False,
    problems: Iterable[int] = (),
) -> dict[str, Any]:
    """The keyword arguments of a route that changes something. ``permission``: the row of the policy that it asks;
    None: it is open to anyone. ``accepted``: what comes of it is not said, and nothing is told of the journal.
    """
    statuses = {400, 409, 413, 415, 422, 429, 503, *problems}
    if permission and by == "bearer":
        statuses |= {401, 403, 404}
    if if_match:
        statuses.add(412)
    if if_match is True:
        statuses.add(428)
    headers: dict[str, Any] = {"Journal-Position": _TOLD, "ETag": _ETAG, "Idempotent-Replay": _REPLAYED}
    if creates:
        headers["Location"] = _LOCATION
    if accepted:
        headers = {}
    status = 201 if creates else 202 if accepted else 200
    parameters = [
        {**_KEY, "required": key_required},
        *([{**_IF_MATCH, "required": if_match is True}] if if_match else []),
    ]
    return {
        "operation_id": operation_id,
        "status_code": status,
        "response_model": answer,
        "responses": {status: {"headers": headers}, **problems_at(statuses)},
        "openapi_extra": {"parameters": parameters, **_policy(permission, by)},
    }


def query(
    answer: Any,
    operation_id: str,
    permission: str,
    *,
    by: By = "bearer",
    etag: bool = False,
    problems: Iterable[int] = (404,),
) -> dict[str, Any]:
    """The keyword arguments of a route that only reads."""
    statuses = {400, 422, 429, 503, *problems, *((401, 403) if by == "bearer" else ())}
    ok: dict[str, Any] = {"headers": {"ETag": _ETAG}} if etag else {}
    return {
        "operation_id": operation_id,
        "response_model": answer,
        "responses": {200: ok, **problems_at(statuses)},
        "openapi_extra": {"parameters": [_POSITION], **_policy(permission, by)},
    }


def door(answer: type[BaseModel], operation_id: str) -> dict[str, Any]:
    """The keyword arguments of the route that hands out tokens: it records nothing in the journal."""
    return {
        "operation_id": operation_id,
        "response_model": answer,
        "responses": problems_at((400, 401, 404, 409, 413, 422, 429, 503)),
        "openapi_extra": {"parameters": [{**_KEY, "required": False}]},
    }


def _policy(permission: str | None, by: By) -> Mapping[str, Any]:
    """Who may: the row of the policy, as the document shows it. A permission without a row fails at import."""
    if permission is None:
        return {}
    row = PERMISSIONS[permission]
    if by != "bearer":
        row = {Role.VISITOR: row[Role.VISITOR]}
    reaches = {role.value: reach.name.lower() for role, reach in row.items()}
    return {"security": _SECURITY[by], "x-permission": {"operation": permission, "reach": reaches}}


def problems_at(statuses: Iterable[int]) -> dict[int | str, dict[str, Any]]:
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        status: {"description": _STATUS[status], "content": {MEDIA_TYPE: {"schema": schema}}}
        for status in sorted(statuses)
    }


def _drop_the_frameworks_own_422(document: dict[str, Any]) -> None:
    """FastAPI declares it wherever there is a parameter and no 422; ours is a problem document."""
    for methods in document["paths"].values():
        for operation in methods.values():
            if "HTTPValidationError" in str(operation["responses"].get("422")):
                del operation["responses"]["422"]
    for name in ("HTTPValidationError", "ValidationError"):
        document.get("components", {}).get("schemas", {}).pop(name, None)


_REACHES = {"all": "all of the organization", "assigned": "what is assigned to them", "own": "their own"}


def _tell_who_may(document: dict[str, Any]) -> None:
    """The row of the policy in words, for those who read the page."""
    for methods in document["paths"].values():
        for operation in methods.values():
            if "x-permission" not in operation:
                continue
            roles: dict[str, list[str]] = {}
            for role, far in operation["x-permission"]["reach"].items():
                roles.setdefault(far, []).append(role)
            told = "; ".join(f"{', '.join(names)}: {_REACHES[far]}" for far, names in roles.items())
            operation["description"] = f"{operation.get('description', '')}\n\nWho may: {told}.".strip()


def describe(app: FastAPI) -> None:
    """Complete the app's OpenAPI document with what no route owns: who may, the problem document, the bearer token."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = get_openapi(
                title=app.title,
                version=app.version,
                description=app.description,
                routes=app.routes,
                tags=app.openapi_tags,
            )
            _drop_the_frameworks_own_422(document)
            _tell_who_may(document)
            components = document.setdefault("components", {})
            schema = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
            components.setdefault("schemas", {}).update({**schema.pop("$defs", {}), "Problem": schema})
            bearer = {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
            components["securitySchemes"] = {"bearer": bearer, **MANAGE_SCHEME}
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]
