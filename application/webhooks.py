"""Webhooks: an organization says where its facts are to go. One function per move. Delivering is elsewhere."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from application.decision import Decision, View
from domain.fact import FACTS, Fact
from domain.permissions import Actor, ensure_may
from domain.public_address import ensure_valid_url
from domain.refusals import NotFound, TooManyWebhooks, WebhookIsDisabled
from domain.webhook import (
    WEBHOOKS_MAX,
    Cause,
    Webhook,
    WebhookAdded,
    WebhookChanged,
    WebhookDisabled,
    WebhookEnabled,
    WebhookList,
    WebhookListed,
    WebhookRemoved,
    WebhookSecretRotated,
    WebhookTestRequested,
    WebhookUnlisted,
    ensure_valid_topics,
    webhook_list_id,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AddWebhook:
    """``topics``: none is all. ``loopback_allowed`` is this deployment's."""

    webhook_id: UUID
    url: str
    topics: tuple[str, ...] = ()
    loopback_allowed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeWebhook:
    webhook_id: UUID
    url: str
    topics: tuple[str, ...]
    enabled: bool
    loopback_allowed: bool = False
    if_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DisableWebhook:
    """By the process that delivers."""

    webhook_id: UUID
    cause: Cause


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveWebhook:
    webhook_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class RotateSecret:
    webhook_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestTest:
    webhook_id: UUID


def add_webhook(view: View, command: AddWebhook, actor: Actor, now: datetime) -> Decision:  # noqa: ARG001
    ensure_may(actor, "webhook.add")
    ensure_valid_url(command.url, loopback_allowed=command.loopback_allowed)
    ensure_valid_topics(command.topics, frozenset(FACTS))
    view.ensure_new(Webhook, command.webhook_id)
    listing = webhook_list_id(actor.organization_id)
    known = view.get(WebhookList, listing)
    if known and len(known.listed) >= WEBHOOKS_MAX:
        raise TooManyWebhooks(WEBHOOKS_MAX)
    added = WebhookAdded(
        webhook_id=command.webhook_id,
        organization_id=actor.organization_id,
        url=command.url,
        topics=command.topics,
    )
    view.record(listing, WebhookListed(webhook_id=command.webhook_id))
    return _recorded(view, command.webhook_id, added)


def change_webhook(view: View, command: ChangeWebhook, actor: Actor, now: datetime) -> Decision:  # noqa: ARG001
    ensure_may(actor, "webhook.change")
    ensure_valid_url(command.url, loopback_allowed=command.loopback_allowed)
    ensure_valid_topics(command.topics, frozenset(FACTS))
    before = required(view, command.webhook_id, actor)
    view.ensure_version(command.webhook_id, command.if_version)
    changed = WebhookChanged(webhook_id=before.id, url=command.url, topics=command.topics)
    facts: list[Fact] = [changed] if (command.url, command.topics) != (before.url, before.topics) else []
    if command.enabled and before.disabled:
        facts.append(WebhookEnabled(webhook_id=before.id))
    if not command.enabled and not before.disabled:
        facts.append(WebhookDisabled(webhook_id=before.id, cause=Cause.ASKED))
    return _recorded(view, command.webhook_id, *(facts or [changed]))


def disable_webhook(view: View, command: DisableWebhook, actor: Actor, now: datetime) -> Decision:  # noqa: ARG001
    ensure_may(actor, "webhook.disable")
    webhook = required(view, command.webhook_id, actor)
    if webhook.disabled:
        raise WebhookIsDisabled(webhook.id, webhook.disabled)
    return _recorded(view, command.webhook_id, WebhookDisabled(webhook_id=webhook.id, cause=command.cause))


def remove_webhook(view: View, command: RemoveWebhook, actor: Actor, now: datetime) -> Decision:  # noqa: ARG001
    ensure_may(actor, "webhook.remove")
    webhook = required(view, command.webhook_id, actor)
    listing = webhook_list_id(actor.organization_id)
    view.get(WebhookList, listing)
    view.record(listing, WebhookUnlisted(webhook_id=webhook.id))
    return _recorded(view, command.webhook_id, WebhookRemoved(webhook_id=webhook.id))


def rotate_secret(view: View, command: RotateSecret, actor: Actor, now: datetime) -> Decision:  # noqa: ARG001
    ensure_may(actor, "webhook.rotate_secret")
    webhook = required(view, command.webhook_id, actor)
    return _recorded(view, command.webhook_id, WebhookSecretRotated(webhook_id=webhook.id))


def request_test(view: View, command: RequestTest, actor: Actor, now: datetime) -> Decision:  # noqa: ARG001
    ensure_may(actor, "webhook.test")
    webhook = required(view, command.webhook_id, actor)
    if webhook.disabled:
        raise WebhookIsDisabled(webhook.id, webhook.disabled)
    return _recorded(view, command.webhook_id, WebhookTestRequested(webhook_id=webhook.id))


def required(view: View, webhook_id: UUID, actor: Actor) -> Webhook:
    """Raises ``NotFound``, for one that was removed too."""
    webhook = view.require(Webhook, webhook_id, actor)
    if webhook.removed:
        raise NotFound("webhook", webhook_id)
    return webhook


def _recorded(view: View, webhook_id: UUID, *facts: Fact) -> Decision:
    for one in facts:
        view.record(webhook_id, one)
    return view.decision({"id": webhook_id, "version": view.version(webhook_id)})
