"""Checkpoints as a process: from the journal to a tree, signed, exported and verified offline."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg import Connection

from adapters.checkpoint_notes import Signer, Verifier
from adapters.exported_journal import read, write
from adapters.proof_tree import TreeBroken, exported, kept_tree
from infra.database_roles import url_for
from infra.processes import export, verify_proofs
from infra.processes.checkpoint import CheckpointProcess
from infra.proof_verification import Proved, prove
from infra.settings import Settings

SIGNER = Signer(bytes(range(32)), "clinic.example/journal")
TRUSTED = [Verifier(SIGNER.public_key)]


@pytest.fixture
def journal(postgres_url: str) -> Iterator[Connection[Any]]:
    """As the database's superuser, who can do what no role may. Empty."""
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("TRUNCATE stored_events, proofs.subtree, proofs.signed_checkpoint RESTART IDENTITY")
        yield connection


def append(journal: Connection[Any], count: int) -> int:
    """The position of the last, after a gap as a rolled-back append leaves it."""
    journal.execute("SELECT nextval(pg_get_serial_sequence('stored_events', 'notification_id'))")
    for _ in range(count):
        journal.execute(
            "INSERT INTO stored_events (originator_id, originator_version, topic, state) VALUES (%s, 1, 'a.v1', '{}')",
            (uuid4(),),
        )
    return head(journal)


def head(journal: Connection[Any]) -> int:
    row = journal.execute("SELECT max(notification_id) FROM stored_events").fetchone()
    assert row
    return int(row[0])


@contextmanager
def signing(url: str, processes: int = 1) -> Iterator[None]:
    settings = Settings(environment="test", database_url=url, checkpoint_every_s=0.05)
    running = [CheckpointProcess(settings, SIGNER, TRUSTED) for _ in range(processes)]
    threads = [threading.Thread(target=one.run) for one in running]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for one in running:
            one.stop()
        for thread in threads:
            thread.join(20)
            assert not thread.is_alive()


def await_that(it_is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not it_is_so():
        assert time.monotonic() < until
        time.sleep(0.05)


def covered(journal: Connection[Any], position: int) -> Callable[[], bool]:
    asked = "SELECT max(position) FROM proofs.signed_checkpoint"
    return lambda: journal.execute(asked).fetchone() == (position,)


def proved(url: str) -> Proved:
    file = BytesIO()
    with psycopg.connect(url_for("export", url), autocommit=True) as connection:
        write(exported(connection), file)
    file.seek(0)
    return prove(read(file), TRUSTED)


def test_two_processes_sign_one_tree_that_is_exported_and_proved(postgres_url: str, journal: Connection[Any]) -> None:
    with signing(postgres_url, processes=2):
        for count in (5, 1, 16):
            last = append(journal, count)
            await_that(covered(journal, last))

    found = proved(postgres_url)

    assert found.broken is None
    assert (found.facts, found.position) == (22, last)
    assert found.checkpoints >= 3


@pytest.mark.parametrize(
    "forgery",
    [
        "UPDATE stored_events SET state = '{\"a\": 1}' WHERE notification_id = %s",
        "UPDATE stored_events SET originator_version = 7 WHERE notification_id = %s",
        "DELETE FROM stored_events WHERE notification_id = %s",
        "UPDATE proofs.subtree SET hash = sha256('') WHERE position = %s",
        "DELETE FROM proofs.subtree WHERE position = %s",
    ],
)
def test_what_a_superuser_does_to_the_journal_is_named(
    postgres_url: str, journal: Connection[Any], forgery: str
) -> None:
    with signing(postgres_url):
        await_that(covered(journal, append(journal, 20)))

    journal.execute(forgery.encode(), (9,))

    broken = proved(postgres_url).broken
    assert broken
    assert (broken.position, broken.upto) == (9, 9)


def test_nothing_is_signed_on_a_tree_that_its_last_checkpoint_contradicts(
    postgres_url: str, journal: Connection[Any]
) -> None:
    with signing(postgres_url):
        await_that(covered(journal, append(journal, 20)))
    journal.execute("UPDATE proofs.subtree SET hash = sha256('') WHERE level = 4")

    with pytest.raises(TreeBroken):
        kept_tree(journal, TRUSTED)
    with pytest.raises(TreeBroken):
        kept_tree(journal, [Verifier(Signer(bytes(32), "clinic.example/journal").public_key)])


def test_the_file_is_verified_without_a_database(
    postgres_url: str,
    journal: Connection[Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with signing(postgres_url):
        await_that(covered(journal, append(journal, 3)))
    monkeypatch.setenv("DAYBOOK_DATABASE_URL", postgres_url)
    file, kept = tmp_path / "journal.jsonl", tmp_path / "checkpoint"
    row = journal.execute("SELECT note FROM proofs.signed_checkpoint ORDER BY size DESC LIMIT 1").fetchone()
    assert row
    kept.write_text(row[0])

    assert export.run(file, as_json=False) == 0
    assert verify_proofs.run(file, [SIGNER.public_key], [kept], as_json=False) == 0
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:2]))
    assert verify_proofs.run(file, [SIGNER.public_key], [kept], as_json=False) == 1

    assert "one kept checkpoint has 3 facts up to 4" in capsys.readouterr().out
