"""Sessions that end before their time: at once where they are kept, then as facts.

In this order, since what must not fail is that access stops. A process that dies between the two leaves the reason with
the session, and no fact.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid5

from application.decision import Decision, View
from domain.access import AccessNote, SessionEnded, SessionEnding
from domain.permissions import Actor


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteEndings:
    """Of sessions that were ended: at least one. ``id`` names the notes."""

    id: UUID
    account_id: UUID
    session_ids: Sequence[UUID]
    because: SessionEnding


def note_endings(view: View, command: NoteEndings, actor: Actor, now: datetime) -> Decision:  # noqa: ARG001
    """Each on a stream of its own. That the actor may was asked before they were ended."""
    for session_id in command.session_ids:
        note_id = uuid5(command.id, str(session_id))
        view.ensure_new(AccessNote, note_id)
        ended = SessionEnded(account_id=command.account_id, session_id=session_id, because=command.because)
        view.record(note_id, ended)
    return view.decision({"ended": list(command.session_ids)})
