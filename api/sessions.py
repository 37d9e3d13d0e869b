"""Sessions: where an account is signed in, and the end of that. Access stops everywhere within seconds, sockets too."""

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from starlette.responses import Response

from api.commanding import Call, Changed, Commanded, answered
from api.contract import command, query
from api.operation import Operation
from api.reading import Asked, Listed, shown, state_of, whole
from api.sign_in_shapes import EndedShape, SessionShape
from application.sessions import OpenSession
from application.signing_out import NoteEndings, note_endings
from domain.access import SessionEnding
from domain.account import Account
from domain.permissions import Reach, ensure_may, reach
from domain.refusals import NotFound

router = APIRouter(prefix="/v1", tags=["sign-in"], route_class=Operation)

Everywhere = Annotated[bool, Query(description="End all sessions of the account, not only this one.")]


@router.get("/auth/sessions", **query(Listed[SessionShape], "listSessions", "session.read", problems=()))
async def list_sessions(asked: Asked) -> Response:
    """Where one is signed in oneself, in the order of signing in."""
    ensure_may(asked.actor, "session.read", subject_id=asked.actor.subject_id)
    sessions = await asked.ports.door.sessions.open(asked.actor.account_id)
    return whole([_shown(one, asked.actor.session_id) for one in sessions])


@router.post("/auth/sign-out", **command(EndedShape, "signOut", "session.end"))
async def sign_out(call: Commanded, everywhere: Everywhere = False) -> Response:
    """End this session, or all of one's own. Its tokens are good for nothing then, and its sockets close."""
    ensure_may(call.actor, "session.end", subject_id=call.actor.subject_id)
    sessions, account_id = call.ports.door.sessions, call.actor.account_id
    because = SessionEnding.SIGNED_OUT
    if everywhere:
        ended = await sessions.end_all(account_id, because=because)
    else:
        assert call.actor.session_id
        ended = [call.actor.session_id]
        if not await sessions.end(account_id, call.actor.session_id, because=because):
            ended = []  # it has just ended otherwise
    return await _noted(call, account_id, ended, because)


@router.delete("/auth/sessions/{session_id}", **command(EndedShape, "endSession", "session.end", key_required=False))
async def end_session(session_id: UUID, call: Changed) -> Response:
    """End one of one's own sessions, on a device that was lost, say."""
    ensure_may(call.actor, "session.end", subject_id=call.actor.subject_id)
    if not await call.ports.door.sessions.end(call.actor.account_id, session_id):
        raise NotFound("session", session_id)
    return await _noted(call, call.actor.account_id, [session_id], SessionEnding.REVOKED)


@router.delete(
    "/accounts/{account_id}/sessions", **command(EndedShape, "endSessionsOfAccount", "session.end", key_required=False)
)
async def end_sessions_of_account(account_id: UUID, call: Changed) -> Response:
    """End all sessions of an account: by owner or manager, or one's own. Its API key is revoked with them."""
    account, _ = await state_of(call.ports, Account, account_id)
    if account is None or account.organization_id != call.actor.organization_id:
        raise NotFound("account", account_id)
    if reach(call.actor, "session.end") is Reach.OWN and account.subject_id != call.actor.subject_id:
        raise NotFound("account", account_id)
    ensure_may(call.actor, "session.end", subject_id=account.subject_id)
    ended = await call.ports.door.sessions.end_all(account_id)
    return await _noted(call, account_id, ended, SessionEnding.REVOKED)


async def _noted(call: Call, account_id: UUID, ended: Sequence[UUID], because: SessionEnding) -> Response:
    if not ended:
        return shown({"ended": ()})
    notes = NoteEndings(id=call.command_id, account_id=account_id, session_ids=ended, because=because)
    return answered(await call.submit(note_endings, notes))


def _shown(session: OpenSession, current: UUID | None) -> dict[str, object]:
    return {
        "id": session.id,
        "method": session.method,
        "begun_at": session.begun_at,
        "used_at": session.used_at,
        "expires_at": session.expires_at,
        "current": session.id == current,
    }
