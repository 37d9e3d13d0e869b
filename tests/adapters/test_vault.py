"""Personal data: sealed at rest, of one organization only, gone at once when erased."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg_pool import AsyncConnectionPool, ConnectionPool

from adapters.vault import NOTE_MAX_CHARS, PostgresVault, Seal, VaultContacts, VaultKeyWrong
from adapters.walls import Walls
from application.vault import Person

MASTER = bytes(range(32))
ANA = Person(display_name="Ana Souza", email="ana@example.com", phone="+5527999990000", locale="pt-BR")
BEN = Person(display_name="Ben")


@asynccontextmanager
async def opened(url: str, master: bytes = MASTER) -> AsyncIterator[PostgresVault]:
    async with AsyncConnectionPool(url, min_size=1, max_size=4, kwargs={"autocommit": True}) as pool:
        yield PostgresVault(Walls(pool), Seal(master))


def told(url: str, story: Callable[[PostgresVault], Awaitable[None]]) -> None:
    async def run() -> None:
        async with opened(url) as vault:
            await story(vault)

    asyncio.run(run())


@pytest.fixture
def organization() -> UUID:
    return uuid4()


@pytest.fixture
def subject() -> UUID:
    return uuid4()


def test_what_is_stored_is_read_back_and_replaced_as_a_whole(
    postgres_url: str, organization: UUID, subject: UUID
) -> None:
    async def story(vault: PostgresVault) -> None:
        await vault.store(organization, subject, ANA)
        assert await vault.person(organization, subject) == ANA

        await vault.store(organization, subject, BEN)
        assert await vault.person(organization, subject) == BEN

    told(postgres_url, story)


def test_many_people_come_in_one_call_and_unknown_ones_are_left_out(postgres_url: str, organization: UUID) -> None:
    ana, ben = uuid4(), uuid4()

    async def story(vault: PostgresVault) -> None:
        await vault.store(organization, ana, ANA)
        await vault.store(organization, ben, BEN)

        assert await vault.people(organization, [ana, uuid4(), ben]) == {ana: ANA, ben: BEN}
        assert await vault.people(organization, []) == {}

    told(postgres_url, story)


def test_another_organization_sees_nothing_of_a_subject(postgres_url: str, organization: UUID, subject: UUID) -> None:
    stranger = uuid4()

    async def story(vault: PostgresVault) -> None:
        await vault.store(organization, subject, ANA)
        await vault.write_note(organization, subject, uuid4(), "allergic to nuts")

        assert await vault.person(stranger, subject) is None
        assert await vault.notes(stranger, subject) == {}
        await vault.erase(stranger, subject)
        assert await vault.person(organization, subject) == ANA

    told(postgres_url, story)


def test_notes_are_kept_by_their_ids_beside_the_person(postgres_url: str, organization: UUID, subject: UUID) -> None:
    first, second = uuid4(), uuid4()

    async def story(vault: PostgresVault) -> None:
        await vault.write_note(organization, subject, first, "brings a dog")
        await vault.write_note(organization, subject, second, "100 % late")
        await vault.write_note(organization, subject, first, "brings two dogs")

        assert await vault.notes(organization, subject) == {first: "brings two dogs", second: "100 % late"}
        assert await vault.person(organization, subject) is None

    told(postgres_url, story)


def test_a_note_has_a_limit(postgres_url: str, organization: UUID, subject: UUID) -> None:
    async def story(vault: PostgresVault) -> None:
        with pytest.raises(ValueError, match="at most"):
            await vault.write_note(organization, subject, uuid4(), "x" * (NOTE_MAX_CHARS + 1))

    told(postgres_url, story)


def test_erasing_holds_at_once_in_every_process_and_leaves_no_row(
    postgres_url: str, organization: UUID, subject: UUID
) -> None:
    async def story(vault: PostgresVault) -> None:
        async with opened(postgres_url) as other_process:
            await vault.store(organization, subject, ANA)
            await vault.write_note(organization, subject, uuid4(), "a note")
            assert await other_process.person(organization, subject) == ANA

            await vault.erase(organization, subject)

            assert await other_process.person(organization, subject) is None
            assert await other_process.notes(organization, subject) == {}

    told(postgres_url, story)
    with psycopg.connect(postgres_url) as connection:
        for table in ("vault.subject_key", "vault.record"):
            left = connection.execute(f"SELECT count(*) FROM {table} WHERE subject_id = %s", (subject,)).fetchone()
            assert left == (0,)


def test_racing_writers_and_an_eraser_never_leave_a_record_that_cannot_be_opened(
    postgres_url: str, organization: UUID, subject: UUID
) -> None:
    async def story(vault: PostgresVault) -> None:
        for _ in range(20):
            await asyncio.gather(
                *(vault.write_note(organization, subject, uuid4(), "note") for _ in range(3)),
                vault.erase(organization, subject),
                vault.store(organization, subject, ANA),
            )
            assert set((await vault.notes(organization, subject)).values()) <= {"note"}
            assert await vault.person(organization, subject) in {None, ANA}

    told(postgres_url, story)


def test_nothing_personal_can_be_read_in_the_tables(postgres_url: str, organization: UUID, subject: UUID) -> None:
    async def story(vault: PostgresVault) -> None:
        await vault.store(organization, subject, ANA)

    told(postgres_url, story)

    with psycopg.connect(postgres_url) as connection:
        [(sealed,)] = connection.execute("SELECT sealed FROM vault.record WHERE subject_id = %s", (subject,)).fetchall()
    assert b"Ana" not in sealed
    assert b"example" not in sealed


@pytest.mark.parametrize("swap", ["subject_id", "organization_id", "name"])
def test_a_record_that_was_moved_to_another_place_is_not_opened(
    postgres_url: str, organization: UUID, subject: UUID, swap: str
) -> None:
    """Whoever can write to the tables still cannot pass one person's data off as another's."""
    victim = uuid4()

    async def story(vault: PostgresVault) -> None:
        await vault.store(organization, subject, ANA)
        await vault.store(organization, victim, BEN)
        with psycopg.connect(postgres_url) as connection:
            if swap == "subject_id":
                connection.execute("UPDATE vault.record SET sealed = (SELECT sealed FROM vault.record WHERE"
                                   " subject_id = %s) WHERE subject_id = %s", (victim, subject))  # fmt: skip
            elif swap == "name":
                connection.execute(
                    "UPDATE vault.record SET name = %s WHERE subject_id = %s", (f"note:{victim}", subject)
                )
            else:
                connection.execute(
                    "WITH k AS (INSERT INTO vault.subject_key SELECT %s, subject_id, wrapped_key FROM vault.subject_key"
                    " WHERE subject_id = %s) SELECT", (victim, subject)
                )  # fmt: skip
                connection.execute(
                    "UPDATE vault.record SET organization_id = %s WHERE subject_id = %s", (victim, subject)
                )
        with pytest.raises(VaultKeyWrong):
            await vault.notes(organization, subject) if swap == "name" else await vault.person(
                victim if swap == "organization_id" else organization, subject
            )

    told(postgres_url, story)


def test_another_master_key_is_noticed_at_the_start(postgres_url: str, organization: UUID, subject: UUID) -> None:
    async def story(vault: PostgresVault) -> None:
        async with vault.walls.pool.connection() as connection:
            await connection.execute("TRUNCATE vault.subject_key CASCADE")
        await vault.ensure_key_fits()  # nothing is stored yet: any key will do
        await vault.store(organization, subject, ANA)
        await vault.ensure_key_fits()
        async with opened(postgres_url, bytes(32)) as other:
            with pytest.raises(VaultKeyWrong):
                await other.ensure_key_fits()

    told(postgres_url, story)


def test_the_notifier_reads_people_of_several_organizations_without_an_event_loop(postgres_url: str) -> None:
    here, there, ana, ben = uuid4(), uuid4(), uuid4(), uuid4()

    async def story(vault: PostgresVault) -> None:
        await vault.store(here, ana, ANA)
        await vault.store(there, ben, BEN)

    told(postgres_url, story)
    with ConnectionPool(postgres_url, min_size=1) as pool:
        contacts = VaultContacts(pool, Seal(MASTER))

        assert contacts.people([(here, ana), (there, ben), (there, ana)]) == {ana: ANA, ben: BEN}
        assert contacts.people([]) == {}
