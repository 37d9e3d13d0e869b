"""What providers call back: whether messages reached people. Only who proves to be the provider is listened to."""

from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from api.contract import problems_at
from api.operation import Operation
from api.ports import Ports, ports_of
from api.problems import Rejected
from api.reading import shown
from application.callbacks import Callback, Report

router = APIRouter(prefix="/v1/callbacks", tags=["callbacks"], route_class=Operation)


class HeardShape(BaseModel):
    """``heard``: how many reports there were in it, of messages that are known or not."""

    heard: int


def callback(operation_id: str, media_type: str, schema: dict[str, Any]) -> dict[str, Any]:
    """The keyword arguments of a route that a provider calls."""
    return {
        "operation_id": operation_id,
        "response_model": HeardShape,
        "responses": problems_at((400, 403, 404, 413, 422, 503)),
        "openapi_extra": {"requestBody": {"required": True, "content": {media_type: {"schema": schema}}}},
    }


async def _of_twilio(request: Request) -> tuple[Ports, Sequence[Report]]:
    return await _read(request, "twilio")


async def _of_sendgrid(request: Request) -> tuple[Ports, Sequence[Report]]:
    return await _read(request, "sendgrid")


async def _read(request: Request, provider: str) -> tuple[Ports, Sequence[Report]]:
    """Verified before anything else is looked at. Raises ``CallbackRefused``, ``Rejected``."""
    ports = ports_of(request)
    reader = ports.partners.callbacks.get(provider)
    if reader is None:
        raise Rejected("no-such-page", "This provider is not configured here.")
    scope = request.scope
    came = Callback(
        headers=request.headers,
        path=scope["path"],
        query=scope["query_string"].decode("latin-1"),
        body=await request.body(),
    )
    return ports, reader.read(came)


@router.post(
    "/twilio",
    **callback(
        "hearTwilio",
        "application/x-www-form-urlencoded",
        {
            "type": "object",
            "properties": {"MessageSid": {"type": "string"}, "MessageStatus": {"type": "string"}},
            "required": ["MessageSid", "MessageStatus"],
        },
    ),
)
async def hear_twilio(
    told: Annotated[tuple[Ports, Sequence[Report]], Depends(_of_twilio)],
    delivery: Annotated[UUID | None, Query(description="The message, as Twilio was told it.")] = None,  # noqa: ARG001
) -> Response:
    """Twilio's status callback, signed with `X-Twilio-Signature`."""
    return await _noted("twilio", told)


@router.post(
    "/sendgrid",
    **callback("hearSendGrid", "application/json", {"type": "array", "items": {"type": "object"}}),
)
async def hear_sendgrid(told: Annotated[tuple[Ports, Sequence[Report]], Depends(_of_sendgrid)]) -> Response:
    """SendGrid's event webhook, signed with `X-Twilio-Email-Event-Webhook-Signature`."""
    return await _noted("sendgrid", told)


async def _noted(provider: str, told: tuple[Ports, Sequence[Report]]) -> Response:
    ports, reports = told
    await ports.partners.reports.note(provider, reports)
    return shown({"heard": len(reports)})
