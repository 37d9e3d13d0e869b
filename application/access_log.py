"""Notes of what happens at the door, as facts: an auditor sees every refused sign-in, forbidden call and ended session.

What repeats is counted: the first of its kind is noted at once, the rest of the minute as one more note with their
number. So a client that tries a thousand times costs two facts a minute and hides nothing.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from application.decision import Decision, View
from application.journal import JournalUnavailable
from application.writer import Busy, Writer
from domain.access import AccessFact, AccessNote, CallForbidden, EndedSessionUsed, SignInRejected
from domain.permissions import Actor

COUNTED_FOR_S = 60.0
KINDS_MAX = 10_000
"""What is counted at a time. Above it everything is noted at once: nothing is lost for being too much to count."""

_log = logging.getLogger(__name__)

Counted = SignInRejected | CallForbidden | EndedSessionUsed


@dataclass(frozen=True, slots=True)
class Note:
    id: UUID
    fact: AccessFact


def note_access(view: View, command: Note, actor: Actor, now: datetime) -> Decision:  # noqa: ARG001
    """The actor is the account that the note is about."""
    view.ensure_new(AccessNote, command.id)
    return Decision([(command.id, command.fact)], {})


@dataclass(slots=True)
class _Count:
    fact: Counted
    actor: Actor
    ends_at: float
    times: int = 0


@dataclass(slots=True)
class AccessLog:
    """``new_id`` names the notes. ``run`` notes what was counted, until cancelled.

    A process that ends takes along how often something was repeated in its last minute; that it happened is noted.
    """

    writer: Writer
    new_id: Callable[[], UUID]
    monotonic: Callable[[], float] = time.monotonic
    _counts: dict[Hashable, _Count] = field(default_factory=dict)

    async def note(self, actor: Actor, fact: AccessFact) -> None:
        """Durable on return, unless it repeats what was noted within the minute. Raises what ``Writer.submit`` does."""
        if not isinstance(fact, Counted) or len(self._counts) >= KINDS_MAX:
            await self._submit(actor, fact)
            return
        kind = (actor.account_id, fact)
        known = self._counts.get(kind)
        if known is not None:
            known.times += fact.times
            return
        self._counts[kind] = _Count(fact, actor, self.monotonic() + COUNTED_FOR_S)
        try:
            await self._submit(actor, fact)
        except BaseException:
            self._counts.pop(kind, None)  # the next of its kind is the first again
            raise

    async def note_refused(self, actor: Actor, fact: Counted) -> None:
        """The same of what is refused in any case: that it cannot be noted now is logged."""
        try:
            await self.note(actor, fact)
        except (Busy, JournalUnavailable) as unavailable:
            _log.warning("what was refused to account %s is not noted: %s, %r", actor.account_id, fact, unavailable)

    async def run(self, every_s: float = 1.0) -> None:
        while True:
            await asyncio.sleep(every_s)
            try:
                await self.flush(self.monotonic())
            except (Busy, JournalUnavailable) as unavailable:
                _log.warning("repeated notes wait for the journal: %r", unavailable)

    async def flush(self, now: float) -> None:
        """Note what was counted in the minutes that have ended (``now``: monotonic seconds)."""
        for kind, count in [(kind, count) for kind, count in self._counts.items() if count.ends_at <= now]:
            if count.times:
                await self._submit(count.actor, replace(count.fact, times=count.times))
            self._counts.pop(kind, None)

    async def _submit(self, actor: Actor, fact: AccessFact) -> None:
        note = Note(self.new_id(), fact)
        await self.writer.submit(note_access, note, actor=actor, command_id=note.id, fingerprint=b"")
