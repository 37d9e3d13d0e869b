"""What a session has, and what it claims of its room."""

from uuid import UUID

from domain.resource_day import Claim, ResourceDay, page_id
from domain.session import Session, session_id
from tests.desk import NINE, Desk


def the_session(desk: Desk, service_id: UUID) -> Session:
    session = desk.streams[session_id(service_id, NINE)].state
    assert isinstance(session, Session)
    return session


def claim_of_the_session(desk: Desk, room: UUID, service_id: UUID) -> Claim | None:
    page = desk.streams[page_id(room, NINE.date())].state
    assert isinstance(page, ResourceDay)
    return page.claim_of(session_id(service_id, NINE))
