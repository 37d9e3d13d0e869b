"""What can be subscribed to, and by whom."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID

from api import stream_frames as frames
from application.journal import Journal
from domain.permissions import Actor, Reach, ensure_may, reach
from domain.refusals import Forbidden
from projections.waitlist_queue import topic_of

KNOWN_MAX = 50_000

_TOPIC = re.compile(
    r"(?P<kind>resource|service|customer):"
    r"(?P<id>[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}):(?P<view>[a-z]+)"
)
_MAY: dict[tuple[str, str], Callable[[Actor, UUID], None]] = {
    ("resource", "calendar"): lambda actor, its: ensure_may(actor, "calendar.read", resource_ids=(its,)),
    ("service", "availability"): lambda actor, _: ensure_may(actor, "slots.read"),
    ("customer", "appointments"): lambda actor, its: ensure_may(actor, "appointment.read", subject_id=its),
}
WAITLIST = "organization:waitlist"
"""The topic of the reader's own organization; a customer may read no more of it than what is their own."""


class NotAdmitted(Exception):  # noqa: N818
    """The subscription is refused; ``code`` is that of the error frame. ``operation``: the row of the policy that is
    against it, if one is.
    """

    def __init__(self, code: int, title: str, operation: str | None = None) -> None:
        super().__init__(code, title)
        self.operation = operation
        self.code = code
        self.title = title


@dataclass(slots=True)
class TopicGate:
    """Asks the journal itself whose an object is: a read model may not have heard of it yet.

    What it finds is kept: an object never changes hands.
    """

    journal: Journal
    _owners: dict[tuple[str, UUID], UUID] = field(default_factory=dict)

    async def admit(self, actor: Actor, topic: str) -> str:
        """The topic as the read models write it. Raises ``NotAdmitted``, the same for what does not exist and what is
        another organization's; ``JournalUnavailable``.
        """
        if topic == WAITLIST:
            if reach(actor, "waitlist.read") is not Reach.ALL:
                raise NotAdmitted(frames.NOT_ALLOWED, "Your role does not allow this.", "waitlist.read")
            return topic_of(actor.organization_id)
        found = _TOPIC.fullmatch(topic)
        may = _MAY.get((found["kind"], found["view"])) if found else None
        if found is None or may is None:
            raise NotAdmitted(frames.NO_SUCH_TOPIC, "There is no such topic.")
        object_id = UUID(found["id"])
        try:
            may(actor, object_id)
        except Forbidden as forbidden:
            raise NotAdmitted(frames.NOT_ALLOWED, "Your role does not allow this.", forbidden.operation) from None
        if await self._owner(found["kind"], object_id) != actor.organization_id:
            raise NotAdmitted(frames.NOT_ALLOWED, "There is no such object in this organization.")
        return topic

    async def _owner(self, kind: str, object_id: UUID) -> UUID | None:
        known = self._owners.get((kind, object_id))
        if known:
            return known
        first = next(iter((await self.journal.load((object_id,))).get(object_id, ())), None)
        if first is None or not first.fact.TOPIC.startswith(f"{kind}."):
            return None
        if len(self._owners) >= KNOWN_MAX:
            self._owners.clear()
        self._owners[kind, object_id] = first.provenance.organization_id
        return first.provenance.organization_id
