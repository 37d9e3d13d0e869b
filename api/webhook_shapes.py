"""The shapes of answers about webhooks, for the OpenAPI document and its readers."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel

from api.shapes import VersionedShape
from domain.webhook import Cause


class WebhookShape(VersionedShape):
    """``topics``: null is all. ``disabled_because``: it was asked for, it failed for days, or it is gone (410)."""

    url: str
    topics: list[str] | None
    enabled: bool
    disabled_because: Cause | None


class NewWebhookShape(WebhookShape):
    """``secret`` is told here and never again; null to a late retry, once another secret was made."""

    secret: str | None


class WebhookTestShape(VersionedShape):
    """``delivery_id`` is the `webhook-id` under which the endpoint hears of it."""

    delivery_id: UUID


class WebhookDeliveryShape(BaseModel):
    """``id`` is the `webhook-id` that the endpoint is told. ``status`` since ``at``, or last tried then."""

    id: UUID
    position: int
    topic: str
    status: Literal["pending", "delivered", "failed", "dropped"]
    attempts: int
    response_status: int | None
    reason: str | None
    at: datetime
    next_attempt_at: datetime | None
