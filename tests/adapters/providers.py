"""A message to send, for the tests of the providers' SDKs."""

from uuid import UUID, uuid4

from application.notifying import Channel, Content, reference_of
from application.providers import Message

TIMEOUT_S = 0.4


def message(channel: Channel, to: str, delivery_id: UUID | None = None) -> Message:
    delivery_id = delivery_id or uuid4()
    reference = reference_of(delivery_id)
    html = "<p>Your visit is <b>confirmed</b>.</p>" if channel is Channel.EMAIL else None
    content = Content(subject="Confirmed", text=f"Your visit is confirmed. Ref {reference}", html=html)
    return Message(delivery_id=delivery_id, to=to, content=content, reference=reference)
