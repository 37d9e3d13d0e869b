"""Where facts go outside: an address that an organization registered, and which topics it wants to hear of.

The address is part of the fact: whoever audits wants to know where facts went. So it carries no credentials; that a
delivery is ours is shown by its signature, whose secret is no fact.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import assert_never
from uuid import UUID, uuid5

from domain.fact import Fact, fact
from domain.refusals import InvalidValue

WEBHOOKS_MAX = 20
TOPICS_MAX = 50
EVERY_TOPIC_OF = ".*"
"""``appointment.*``: all topics of that kind of stream."""


class Cause(StrEnum):
    """Why an endpoint is not delivered to."""

    ASKED = "asked"
    FAILING = "failing"
    GONE = "gone"
    """It answered 410: it wants no more."""


@fact("webhook.added.v1")
class WebhookAdded(Fact):
    webhook_id: UUID
    organization_id: UUID
    url: str
    topics: tuple[str, ...]


@fact("webhook.changed.v1")
class WebhookChanged(Fact):
    webhook_id: UUID
    url: str
    topics: tuple[str, ...]


@fact("webhook.disabled.v1")
class WebhookDisabled(Fact):
    webhook_id: UUID
    cause: Cause


@fact("webhook.enabled.v1")
class WebhookEnabled(Fact):
    webhook_id: UUID


@fact("webhook.secret_rotated.v1")
class WebhookSecretRotated(Fact):
    """The version on its stream is that of the secret."""

    webhook_id: UUID


@fact("webhook.test_requested.v1")
class WebhookTestRequested(Fact):
    """Delivered to this endpoint alone, whatever its topics are."""

    webhook_id: UUID


@fact("webhook.removed.v1")
class WebhookRemoved(Fact):
    webhook_id: UUID


WebhookFact = (
    WebhookAdded
    | WebhookChanged
    | WebhookDisabled
    | WebhookEnabled
    | WebhookSecretRotated
    | WebhookTestRequested
    | WebhookRemoved
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """``topics``: none is all. One that is removed is kept, so that its id is never used again."""

    id: UUID
    organization_id: UUID
    url: str
    topics: tuple[str, ...]
    disabled: Cause | None = None
    removed: bool = False


def evolve(state: Webhook | None, happened: WebhookFact) -> Webhook:
    match happened:
        case WebhookAdded():
            return Webhook(
                id=happened.webhook_id,
                organization_id=happened.organization_id,
                url=happened.url,
                topics=happened.topics,
            )
        case WebhookChanged():
            assert state
            return replace(state, url=happened.url, topics=happened.topics)
        case WebhookDisabled():
            assert state
            return replace(state, disabled=happened.cause)
        case WebhookEnabled():
            assert state
            return replace(state, disabled=None)
        case WebhookRemoved():
            assert state
            return replace(state, removed=True)
        case WebhookSecretRotated() | WebhookTestRequested():
            assert state
            return state
        case _:
            assert_never(happened)


@fact("webhook_list.listed.v1")
class WebhookListed(Fact):
    webhook_id: UUID


@fact("webhook_list.unlisted.v1")
class WebhookUnlisted(Fact):
    webhook_id: UUID


WebhookListFact = WebhookListed | WebhookUnlisted


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookList:
    """An organization's endpoints, so that there are not too many: each fact is sent to all of them."""

    listed: tuple[UUID, ...] = ()


def webhook_list_id(organization_id: UUID) -> UUID:
    return uuid5(organization_id, "webhooks")


def evolve_list(state: WebhookList | None, happened: WebhookListFact) -> WebhookList:
    listed = state.listed if state else ()
    match happened:
        case WebhookListed():
            return WebhookList(listed=(*listed, happened.webhook_id))
        case WebhookUnlisted():
            return WebhookList(listed=tuple(one for one in listed if one != happened.webhook_id))
        case _:
            assert_never(happened)


def wants(topics: tuple[str, ...], topic: str) -> bool:
    """Whether one who asked for ``topics`` is to hear of ``topic``. Of webhooks nobody hears: they name addresses."""
    kind = topic.partition(".")[0]
    if kind in {"webhook", "webhook_list"}:
        return False
    return not topics or topic in topics or f"{kind}{EVERY_TOPIC_OF}" in topics


def ensure_valid_topics(topics: tuple[str, ...], known: frozenset[str]) -> None:
    """Raises ``InvalidValue``. ``known``: the topics that there are."""
    kinds = {topic.partition(".")[0] + EVERY_TOPIC_OF for topic in known}
    if len(topics) > TOPICS_MAX or len(set(topics)) != len(topics):
        raise InvalidValue("topics", f"at most {TOPICS_MAX}, each once")
    if not set(topics) <= known | kinds:
        raise InvalidValue("topics", "topics of facts, such as appointment.booked.v1 or appointment.*")
