"""Personal data in PostgreSQL, sealed with AES-256-GCM under a key per subject, itself sealed by the master key.

Erasing deletes the subject's key and records. Every read opens the key row that it has just fetched, in the same
query as the records, and nothing is kept in memory: so an erasure holds at once, in every process.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from psycopg import Connection
from psycopg_pool import ConnectionPool

from adapters.walls import Walled, Walls
from application.vault import Person

KEY_BYTES = 32
NONCE_BYTES = 12
PERSON = "person"
NOTE = "note:"
NOTE_MAX_CHARS = 10_000

_FORMAT = b"\x01"
"""The first byte of all that is sealed, so that another way of sealing can be told apart one day."""

_WITH_KEY = """
SELECT r.subject_id, k.wrapped_key, r.name, r.sealed
FROM vault.record r JOIN vault.subject_key k USING (organization_id, subject_id)
WHERE r.organization_id = %s
"""
_PEOPLE = _WITH_KEY + "AND r.subject_id = ANY(%s) AND r.name = 'person'"
_NOTES = _WITH_KEY + "AND r.subject_id = %s AND r.name LIKE 'note:%%'"
_PEOPLE_OF_MANY = """
SELECT r.subject_id, k.wrapped_key, r.name, r.sealed, r.organization_id
FROM unnest(%s::uuid[], %s::uuid[]) AS asked (organization_id, subject_id)
JOIN vault.record r USING (organization_id, subject_id)
JOIN vault.subject_key k USING (organization_id, subject_id)
WHERE r.name = 'person'
"""
# The no-op update makes RETURNING answer the key that is there, and holds an erasure off until the record is in.
_KEY = """
INSERT INTO vault.subject_key (organization_id, subject_id, wrapped_key) VALUES (%s, %s, %s)
ON CONFLICT (organization_id, subject_id) DO UPDATE SET wrapped_key = subject_key.wrapped_key
RETURNING wrapped_key
"""
_WRITE = """
INSERT INTO vault.record (organization_id, subject_id, name, sealed) VALUES (%s, %s, %s, %s)
ON CONFLICT (organization_id, subject_id, name) DO UPDATE SET sealed = EXCLUDED.sealed
"""
_ERASE = "DELETE FROM vault.subject_key WHERE organization_id = %s AND subject_id = %s"
_ANY_KEY = "SELECT organization_id, subject_id, wrapped_key FROM vault.any_key()"

_encode = msgspec.json.Encoder().encode
_person = msgspec.json.Decoder(Person).decode


class VaultKeyWrong(Exception):  # noqa: N818
    """What is stored was not sealed under this master key, or was altered."""


class Seal:
    """The cryptography: which subject and which record something belongs to is authenticated with it."""

    def __init__(self, master_key: bytes) -> None:
        if len(master_key) != KEY_BYTES:
            raise ValueError(f"a vault key has {KEY_BYTES} bytes")
        self._master = AESGCM(master_key)

    def new_key(self, organization_id: UUID, subject_id: UUID) -> bytes:
        """A fresh key for a subject, wrapped."""
        return _sealed(self._master, AESGCM.generate_key(KEY_BYTES * 8), _about(organization_id, subject_id, "key"))

    def unwrap(self, wrapped_key: bytes, organization_id: UUID, subject_id: UUID) -> AESGCM:
        return AESGCM(_opened(self._master, wrapped_key, _about(organization_id, subject_id, "key")))

    def seal(self, text: bytes, wrapped_key: bytes, organization_id: UUID, subject_id: UUID, name: str) -> bytes:
        key = self.unwrap(wrapped_key, organization_id, subject_id)
        return _sealed(key, text, _about(organization_id, subject_id, name))

    def open(self, sealed: bytes, wrapped_key: bytes, organization_id: UUID, subject_id: UUID, name: str) -> bytes:
        """Raises ``VaultKeyWrong``."""
        key = self.unwrap(wrapped_key, organization_id, subject_id)
        return _opened(key, sealed, _about(organization_id, subject_id, name))

    def seal_alone(self, text: bytes, about: str) -> bytes:
        """Under the master key itself: a secret of ours that is of no one's record, such as a code on its way."""
        return _sealed(self._master, text, b"daybook.alone/" + about.encode())

    def open_alone(self, sealed: bytes, about: str) -> bytes:
        """Raises ``VaultKeyWrong``."""
        return _opened(self._master, sealed, b"daybook.alone/" + about.encode())


@dataclass(slots=True)
class PostgresVault:
    """The application's ``Vault``. ``master_key``: 32 bytes."""

    walls: Walls
    seal: Seal

    async def store(self, organization_id: UUID, subject_id: UUID, person: Person) -> None:
        await self._write(organization_id, subject_id, PERSON, _encode(person))

    async def person(self, organization_id: UUID, subject_id: UUID) -> Person | None:
        return (await self.people(organization_id, (subject_id,))).get(subject_id)

    async def people(self, organization_id: UUID, subject_ids: Sequence[UUID]) -> Mapping[UUID, Person]:
        if not subject_ids:
            return {}
        rows = await self._rows(self.walls.of(organization_id), _PEOPLE, (organization_id, list(subject_ids)))
        return {row[0]: _person(self._opened(organization_id, row)) for row in rows}

    async def write_note(self, organization_id: UUID, subject_id: UUID, note_id: UUID, text: str) -> None:
        """Raises ``ValueError`` above ``NOTE_MAX_CHARS``."""
        if len(text) > NOTE_MAX_CHARS:
            raise ValueError(f"a note has at most {NOTE_MAX_CHARS} characters")
        await self._write(organization_id, subject_id, f"{NOTE}{note_id}", text.encode())

    async def notes(self, organization_id: UUID, subject_id: UUID) -> Mapping[UUID, str]:
        rows = await self._rows(self.walls.of(organization_id), _NOTES, (organization_id, subject_id))
        return {UUID(row[2].removeprefix(NOTE)): self._opened(organization_id, row).decode() for row in rows}

    async def erase(self, organization_id: UUID, subject_id: UUID) -> None:
        async with self.walls.of(organization_id).transaction() as connection:
            await connection.execute(_ERASE, (organization_id, subject_id))  # the records go with their key

    async def ensure_key_fits(self) -> None:
        """Raises ``VaultKeyWrong`` if what is stored was sealed under another master key. For the start."""
        for organization_id, subject_id, wrapped_key in await self._rows(self.walls, _ANY_KEY, ()):
            self.seal.unwrap(wrapped_key, organization_id, subject_id)

    async def _write(self, organization_id: UUID, subject_id: UUID, name: str, text: bytes) -> None:
        fresh = self.seal.new_key(organization_id, subject_id)
        async with self.walls.of(organization_id).transaction() as connection:
            found = await (await connection.execute(_KEY, (organization_id, subject_id, fresh))).fetchone()
            assert found
            sealed = self.seal.seal(text, found[0], organization_id, subject_id, name)
            await connection.execute(_WRITE, (organization_id, subject_id, name, sealed))

    async def _rows(self, within: Walls | Walled, query: str, parameters: tuple[object, ...]) -> list[tuple[Any, ...]]:
        async with within.connection() as connection:
            return await (await connection.execute(query, parameters)).fetchall()

    def _opened(self, organization_id: UUID, row: tuple[Any, ...]) -> bytes:
        subject_id, wrapped_key, name, sealed = row
        return self.seal.open(sealed, wrapped_key, organization_id, subject_id, name)


@dataclass(slots=True)
class VaultContacts:
    """The notifier's ``Contacts``: the same people, read without an event loop."""

    pool: ConnectionPool[Connection[Any]]
    seal: Seal

    def ensure_key_fits(self) -> None:
        """As the vault's own."""
        with self.pool.connection() as connection:
            for organization_id, subject_id, wrapped_key in connection.execute(_ANY_KEY).fetchall():
                self.seal.unwrap(wrapped_key, organization_id, subject_id)

    def people(self, subjects: Iterable[tuple[UUID, UUID]]) -> dict[UUID, Person]:
        """By subject id, in one round trip; asked for as (organization, subject)."""
        asked = sorted(set(subjects))
        if not asked:
            return {}
        with self.pool.connection() as connection:
            rows = connection.execute(
                _PEOPLE_OF_MANY, ([organization for organization, _ in asked], [subject for _, subject in asked])
            ).fetchall()
        return {
            subject_id: _person(self.seal.open(sealed, wrapped_key, organization_id, subject_id, name))
            for subject_id, wrapped_key, name, sealed, organization_id in rows
        }


def _about(organization_id: UUID, subject_id: UUID, name: str) -> bytes:
    return b"daybook.vault/" + organization_id.bytes + subject_id.bytes + name.encode()


def _sealed(key: AESGCM, text: bytes, about: bytes) -> bytes:
    nonce = os.urandom(NONCE_BYTES)
    return _FORMAT + nonce + key.encrypt(nonce, text, about)


def _opened(key: AESGCM, sealed: bytes, about: bytes) -> bytes:
    if sealed[:1] != _FORMAT:
        raise VaultKeyWrong("sealed in a format that this version does not know")
    nonce, text = sealed[1 : 1 + NONCE_BYTES], sealed[1 + NONCE_BYTES :]
    try:
        return key.decrypt(nonce, text, about)
    except InvalidTag:
        raise VaultKeyWrong("the vault key does not open what is stored, or it was altered") from None
