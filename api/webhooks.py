"""Webhooks: addresses to which an organization has its facts delivered, signed as Standard Webhooks says."""

from typing import Annotated, ClassVar
from uuid import UUID

import msgspec
from fastapi import APIRouter
from pydantic import AfterValidator, ConfigDict, Field
from starlette.responses import Response

from api.commanding import Call, Changed, Commanded, IfMatch, answered
from api.contract import command, query
from api.operation import Operation
from api.reading import Asked, Cursor, Limit, Listed, Reading, page, place_of, shown
from api.shapes import VersionedShape
from api.values import Body, Change, Flag, Nothing
from api.webhook_shapes import NewWebhookShape, WebhookDeliveryShape, WebhookShape, WebhookTestShape
from application.webhooks import (
    AddWebhook,
    ChangeWebhook,
    RemoveWebhook,
    RequestTest,
    RotateSecret,
    add_webhook,
    change_webhook,
    remove_webhook,
    request_test,
    rotate_secret,
)
from application.writer import Answer
from domain.permissions import ensure_may
from domain.public_address import URL_CHARS_MAX
from domain.refusals import NotFound
from domain.webhook import TOPICS_MAX, Webhook
from projections import webhook_queries
from projections.webhook_queries import Endpoint
from projections.webhooks import Webhooks, delivery_id

router = APIRouter(prefix="/v1/webhooks", tags=["webhooks"], route_class=Operation)

Url = Annotated[str, Field(min_length=1, max_length=URL_CHARS_MAX, examples=["https://crm.example.com/daybook"])]
Topic = Annotated[str, Field(pattern=r"^[a-z0-9_]{1,60}\.[a-z0-9_.*]{1,60}$")]
Topics = Annotated[tuple[Topic, ...], Field(max_length=TOPICS_MAX), AfterValidator(lambda given: tuple(sorted(given)))]


class NewWebhook(Body):
    """``topics``: of which facts it is to hear, ``appointment.*`` for all about appointments; of all without."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"url": "https://crm.example.com/daybook", "topics": ["appointment.*", "series.begun.v1"]}
        }
    )

    url: Url
    topics: Topics | None = None


class WebhookChange(Change):
    """No topics are all topics. One that was disabled is enabled again with ``enabled``."""

    model_config = ConfigDict(json_schema_extra={"example": {"topics": ["appointment.*", "waitlist.*"]}})

    NEVER_NULL: ClassVar = frozenset({"url", "enabled"})

    url: Url | None = None
    topics: Topics | None = None
    enabled: Flag | None = None


@router.post("", **command(NewWebhookShape, "addWebhook", "webhook.add", creates=True))
async def add(body: NewWebhook, call: Commanded) -> Response:
    """The answer holds the secret that deliveries are signed with; it is not shown again."""
    webhook_id = call.new_id("webhook")
    loopback_allowed, topics = call.ports.partners.loopback_allowed, body.topics or ()
    wanted = AddWebhook(webhook_id=webhook_id, url=body.url, topics=topics, loopback_allowed=loopback_allowed)
    answer = await call.submit(add_webhook, wanted)
    besides = _told(body.url, topics, None) | {"secret": await _secret(call, webhook_id, answer)}
    return answered(answer, status=201, location=f"{call.path}/{webhook_id}", besides=besides)


@router.get("", **query(Listed[WebhookShape], "listWebhooks", "webhook.read", problems=()))
async def list_webhooks(asked: Asked, limit: Limit = 50, cursor: Cursor = None) -> Response:
    ensure_may(asked.actor, "webhook.read")
    place = place_of(cursor, tuple[int])
    await asked.caught_up(Webhooks.NAME)
    organization_id, after = asked.actor.organization_id, place[0] if place else 0
    rows = await webhook_queries.listed(asked.reads, organization_id, after=after, limit=limit + 1)
    return page(rows, limit, _listed, lambda row: (row.created_position,))


@router.get("/{webhook_id}", **query(WebhookShape, "getWebhook", "webhook.read", etag=True))
async def get_webhook(asked: Asked, webhook_id: UUID) -> Response:
    ensure_may(asked.actor, "webhook.read")
    webhook, version = await _required(asked, webhook_id)
    told = _told(webhook.url, webhook.topics, webhook.disabled)
    return shown({"id": webhook_id, **told, "version": version}, version=version)


@router.patch(
    "/{webhook_id}", **command(WebhookShape, "changeWebhook", "webhook.change", key_required=False, if_match=True)
)
async def change(webhook_id: UUID, body: WebhookChange, call: Changed, if_version: IfMatch, asked: Asked) -> Response:
    ensure_may(call.actor, "webhook.change")
    before, seen = await _required(asked, webhook_id)
    given = {"url": before.url, "topics": before.topics, "enabled": before.disabled is None, **body.changes()}
    wanted = ChangeWebhook(
        webhook_id=webhook_id,
        **(given | {"topics": given["topics"] or ()}),
        loopback_allowed=call.ports.partners.loopback_allowed,
        if_version=seen if if_version is None else if_version,
    )
    answer = await call.submit(change_webhook, wanted)
    disabled = None if wanted.enabled else before.disabled or "asked"
    return answered(answer, besides=_told(wanted.url, wanted.topics, disabled))


@router.delete("/{webhook_id}", **command(VersionedShape, "removeWebhook", "webhook.remove", key_required=False))
async def remove(webhook_id: UUID, call: Changed) -> Response:
    """Nothing more is delivered, not even what waits to be tried again; the secret is forgotten."""
    return answered(await call.submit(remove_webhook, RemoveWebhook(webhook_id=webhook_id)))


@router.post("/{webhook_id}/test", **command(WebhookTestShape, "testWebhook", "webhook.test"))
async def ask_for_test(webhook_id: UUID, call: Commanded, _: Nothing | None = None) -> Response:
    """Have a `webhook.test_requested.v1` delivered to it; what comes of it is among its deliveries."""
    answer = await call.submit(request_test, RequestTest(webhook_id=webhook_id))
    return answered(answer, besides={"delivery_id": delivery_id(webhook_id, answer.position)})


@router.post("/{webhook_id}/rotate-secret", **command(NewWebhookShape, "rotateWebhookSecret", "webhook.rotate_secret"))
async def rotate(webhook_id: UUID, call: Commanded, asked: Asked, _: Nothing | None = None) -> Response:
    """A new secret. For 24 hours deliveries are signed with both, so that a receiver can change over."""
    answer = await call.submit(rotate_secret, RotateSecret(webhook_id=webhook_id))
    webhook, _version = await _required(asked, webhook_id)
    told = _told(webhook.url, webhook.topics, webhook.disabled)
    return answered(answer, besides=told | {"secret": await _secret(call, webhook_id, answer)})


@router.get("/{webhook_id}/deliveries", **query(Listed[WebhookDeliveryShape], "listWebhookDeliveries", "webhook.read"))
async def list_deliveries(asked: Asked, webhook_id: UUID, limit: Limit = 50, cursor: Cursor = None) -> Response:
    """What was and is to be delivered, the newest facts first; what is settled is kept for 30 days."""
    ensure_may(asked.actor, "webhook.read")
    place = place_of(cursor, tuple[int])
    await _required(asked, webhook_id)
    await asked.caught_up(Webhooks.NAME)
    organization_id, before = asked.actor.organization_id, place[0] if place else None
    rows = await webhook_queries.deliveries_to(asked.reads, organization_id, webhook_id, before=before, limit=limit + 1)
    return page(rows, limit, lambda row: row, lambda row: (row.position,))


class _Versioned(msgspec.Struct):
    version: int


async def _secret(call: Call, webhook_id: UUID, answer: Answer) -> str | None:
    """That of this very command, a retry of it included; none once a later one has made another."""
    version = msgspec.json.decode(answer.body, type=_Versioned).version
    return await call.ports.partners.webhook_secrets.keep(call.actor.organization_id, webhook_id, version)


async def _required(asked: Reading, webhook_id: UUID) -> tuple[Webhook, int]:
    """Raises ``NotFound``, for one that was removed too."""
    webhook, version = await asked.require(Webhook, webhook_id)
    if webhook.removed:
        raise NotFound("webhook", webhook_id)
    return webhook, version


def _listed(row: Endpoint) -> dict[str, object]:
    return {"id": row.id, **_told(row.url, tuple(row.topics), row.disabled), "version": row.version}


def _told(url: str, topics: tuple[str, ...], disabled: str | None) -> dict[str, object]:
    return {"url": url, "topics": topics or None, "enabled": disabled is None, "disabled_because": disabled}
