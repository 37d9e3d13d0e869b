"""How a request comes to its endpoint: declared to FastAPI, and called with less ado.

FastAPI's own way serves every kind of endpoint. It opens three stacks for what dependencies and files may want closed,
reads the media type with a parser of mail, prepares an answer in case there is none, and validates value by value.
Our endpoints take a path, a query, one JSON body and functions of the request, and answer with a ``Response``: one
validation of all that was sent, and one call. That leaves 20 to 40 µs of CPU where there were 90.
"""

import json
import re
from collections.abc import Callable, Sequence
from inspect import signature
from typing import Any

import msgspec
from fastapi.exceptions import RequestValidationError
from fastapi.params import Form
from fastapi.routing import APIRoute
from pydantic import ConfigDict, ValidationError, create_model
from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive, Scope, Send

from api.limits import behind_door
from api.problems import Rejected

VALUES_MAX = 50_000

_decoded = msgspec.json.Decoder().decode
_JSON = re.compile(r"\s*application/([^;]*\+)?json\s*(;|$)", re.ASCII | re.IGNORECASE)


class Operation(APIRoute):
    """A route as FastAPI declares it, in the OpenAPI document too. One that takes a form is called by FastAPI as well.

    An unknown query parameter is refused, as an unknown field of a body is: a filter with a typo would show everything.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **declared: Any) -> None:
        super().__init__(path, endpoint, **declared)
        if self.body_field is not None and isinstance(self.body_field.field_info, Form):
            self.app = behind_door(self.path_format, self.methods, self.app)
            return
        takes: Any = self.dependant
        body = takes.body_params[0] if takes.body_params else None
        served = [*takes.dependencies, *takes.path_params, *takes.query_params, *takes.body_params[:1]]
        if {one.name for one in served} != signature(endpoint).parameters.keys():
            raise TypeError(f"{path}: an endpoint takes a path, a query, one body and functions of the request")
        self._functions = {one.name: one.call for one in takes.dependencies}
        self._body: str | None = body and body.name
        sent = create_model(
            "Sent",
            path=create_model("Path", **_fields(takes.path_params)),
            query=create_model("Query", __config__=ConfigDict(extra="forbid"), **_fields(takes.query_params)),
            body=_field(body) if body else (None, None),
        )
        self._validated = sent.__pydantic_validator__.validate_python
        self.app = behind_door(self.path_format, self.methods, self._perform)

    async def _perform(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        sent: dict[str, Any] = {"path": request.path_params, "query": {}}
        if scope["query_string"]:
            sent["query"] = dict(request.query_params)
        # As in FastAPI: what cannot be read comes first, then who asks, then what is wrong with the values.
        if self._body is not None and await _body(request):
            sent["body"] = await _document(request)
        arguments = {name: await function(request) for name, function in self._functions.items()}
        try:
            valid = self._validated(sent, from_attributes=True)
        except ValidationError as invalid:
            raise RequestValidationError(invalid.errors(include_url=False)) from None
        if self._body is not None:
            arguments[self._body] = valid.body
        response = await self.endpoint(**arguments, **vars(valid.path), **vars(valid.query))
        await response(scope, receive, send)


def _fields(declared: Sequence[Any]) -> dict[str, Any]:
    return {one.name: _field(one) for one in declared}


def _field(declared: Any) -> tuple[Any, Any]:
    return declared.field_info.annotation, declared.field_info


async def _body(request: Request) -> bytes:
    try:
        return await request.body()
    except ClientDisconnect:
        raise Rejected("malformed-request", "The body ended before its end.") from None


def _ensure_few_values(body: bytes) -> None:
    """Each value costs a hundred bytes and a look at it. No operation of ours takes as many as this."""
    if len(body) > VALUES_MAX and body.count(b",") + body.count(b":") > VALUES_MAX:
        raise Rejected("malformed-request", f"The body has more than {VALUES_MAX} values.")


async def _document(request: Request) -> object:
    if not _JSON.match(request.headers.get("content-type", "")):
        raise Rejected("unsupported-media-type", "Send the body as application/json, and say so in Content-Type.")
    body = await request.body()
    _ensure_few_values(body)
    try:
        return _decoded(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass  # the library below takes a little more, such as a byte order mark, and says better what is wrong
    try:
        return json.loads(body)
    except json.JSONDecodeError as wrong:
        raise Rejected("malformed-request", f"The body is not JSON: {wrong.msg}, at {wrong.pos}.") from None
    except (ValueError, RecursionError):  # no UTF-8, a number of thousands of digits, too deep
        raise Rejected("malformed-request", "The body is not JSON.") from None
