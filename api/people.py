"""People as requests describe them, on their way to the vault; and the careful order of making a new one."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from uuid import UUID

from api.commanding import Call
from api.ports import Ports
from application.vault import Person
from application.writer import Answer
from domain.refusals import Refusal

SHOWN_FIELDS = ("display_name", "email", "phone", "locale")
"""A push token is for the notifier alone."""


@asynccontextmanager
async def newcomer(
    call: Call,
    organization_id: UUID,
    subject_id: UUID,
    person: Person,
    *,
    stream_id: UUID,
    account_id: UUID | None = None,
    password: str | None = None,
) -> AsyncIterator[bool]:
    """Within it the person (and the password) is stored; submit the command there. Whether it is the first time.

    Stored first, so that no one exists without a name, and no address is taken that cannot sign in. If the
    command is refused all of it is forgotten: the ids are this very request's, and what is refused now would be
    refused to its twin. Nor does anything stay where no one came to be after all: a sign-up that was answered like one
    (``application.repeated_sign_up``), and is repeated. If it took effect before (``stream_id`` exists), nothing is
    touched: the person may have been changed or erased since.
    """
    ports = call.ports
    if (await ports.journal.load([stream_id]))[stream_id]:
        yield False
        return
    await ports.vault.store(organization_id, subject_id, person)
    if account_id and password:
        await ports.door.credentials.begin(account_id, await ports.door.passwords.digest(password))
    try:
        yield True
    except Refusal:
        await _forget(ports, organization_id, subject_id, account_id)
        raise
    if not (await ports.journal.load([stream_id]))[stream_id]:
        await _forget(ports, organization_id, subject_id, account_id)


async def _forget(ports: Ports, organization_id: UUID, subject_id: UUID, account_id: UUID | None) -> None:
    await ports.vault.erase(organization_id, subject_id)
    if account_id:
        await ports.door.credentials.forget(account_id)


async def store_change(call: Call, answer: Answer, subject_id: UUID, changes: Mapping[str, Any]) -> Person:
    """Store what an accepted command changed of an existing person; the person as they are then.

    After the command, since a refused one must not touch what is stored. A retry stores again, for the first may
    have died in between, unless the person has been changed since.
    """
    vault, organization_id = call.ports.vault, call.actor.organization_id
    person = replace(await vault.person(organization_id, subject_id) or Person(), **changes)
    if not answer.replayed or await _is_latest(call, answer, subject_id):
        await vault.store(organization_id, subject_id, person)
    return person


async def _is_latest(call: Call, answer: Answer, subject_id: UUID) -> bool:
    recorded = (await call.ports.journal.load([subject_id]))[subject_id]
    return recorded[-1].position == answer.position


def shown_person(person: Person | None) -> dict[str, object]:
    """The vault's fields as the contract shows them: all null for one who was erased."""
    known = person or Person()
    return {name: getattr(known, name) for name in SHOWN_FIELDS}
