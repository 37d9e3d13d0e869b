"""All that can be known of a run once it is over: journal, topic, ledger, outbox, the clients' histories."""

import json
import time
from dataclasses import asdict, dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from confluent_kafka import Consumer, TopicPartition

from infra.demo_client import Client
from infra.verification import stored_facts
from tests.torture.history import Call, Histories, read
from tests.torture.signing_in import account_of, fetched
from tests.torture.stack import TortureStack
from tests.torture.world import World

VERIFY, PROOFS = "verify", "verify --proofs"
TOLD_UP_TO = "subscribers-are-told-up-to"
"""The file with the position."""
SIGNED_WITHIN_S = 60.0
QUIET_WITHIN_S = 200.0
"""A message in doubt is looked for after two minutes."""
_SCHEMAS = "SELECT table_schema FROM information_schema.tables WHERE table_name = 'checkpoint'"


class NeverQuiet(AssertionError):  # noqa: N818
    """Something does not come to its end: what follows the journal, or a client's command."""


@dataclass(frozen=True, slots=True)
class Stored:
    position: int
    stream_id: UUID
    version: int
    topic: str
    data: dict[str, Any]
    org: str
    command: UUID
    at: datetime


@dataclass(frozen=True, slots=True)
class OnTopic:
    partition: int
    offset: int
    position: int
    previous: int


@dataclass
class Evidence:
    world: World
    account_id: UUID
    journal: list[Stored]
    histories: Histories
    topic: list[OnTopic]
    partitions: int
    deliveries: list[dict[str, Any]]
    outbox: list[dict[str, Any]]
    wiped_at: int
    """The topic has all that came to the journal after this; before it the broker was wiped. 0: it never was."""
    told_up_to: int
    """All up to here was projected some seconds before the subscribers stopped to listen."""
    jobs: dict[str, tuple[int, Any]] = field(default_factory=dict)
    slots: dict[str, list[str]] = field(default_factory=dict)
    """Free starts by ``url service`` as each API process tells them in the end."""

    @cached_property
    def by_command(self) -> dict[UUID, list[Stored]]:
        found: dict[UUID, list[Stored]] = {}
        for fact in self.journal:
            found.setdefault(fact.command, []).append(fact)
        return found

    @cached_property
    def commands(self) -> list[Call]:
        return [call for call in self.histories.calls if call.key is not None]


def await_quiet(stack: TortureStack) -> float:
    """Until every follower has come to the end of the journal; the seconds that it took. Raises ``NeverQuiet``."""
    began = time.monotonic()
    behind: list[str] = []
    steady = 0
    while steady < 3:
        stack.revive()
        if time.monotonic() - began > QUIET_WITHIN_S:
            raise NeverQuiet(f"followers that do not catch up: {behind}")
        time.sleep(0.5)
        with stack.connect() as connection:
            head = stack.head(connection)
            schemas = [row[0] for row in connection.execute(_SCHEMAS).fetchall()]
            behind = [
                schema
                for schema in schemas
                if (connection.execute(f"SELECT max(position) FROM {schema}.checkpoint").fetchone() or [0])[0] != head
            ]
            open_ones = connection.execute(
                "SELECT count(*) FROM deliveries.delivery WHERE state IN ('intent', 'in_doubt')"
            ).fetchone()[0]  # type: ignore[index]
            behind += [f"{open_ones} messages"] if open_ones else []
        steady = 0 if behind else steady + 1
    return time.monotonic() - began


def collect(stack: TortureStack, world: World, directory: Path, *, wiped_at: int) -> Evidence:
    token = fetched(stack.urls[0], world.email)
    with stack.connect() as connection:
        journal = [_stored(row) for row in stored_facts(connection)]
        rows = connection.execute("SELECT * FROM deliveries.delivery")
        names = [column.name for column in rows.description or ()]
        deliveries = [dict(zip(names, row, strict=True)) for row in rows.fetchall()]
    with (directory / "journal.dump").open("w") as dump:
        dump.writelines(json.dumps(asdict(fact), default=str) + "\n" for fact in journal)
    topic, partitions = _topic(stack)
    return Evidence(
        world,
        account_of(token),
        journal,
        read(directory),
        topic,
        partitions,
        deliveries,
        stack.outbox(),
        wiped_at,
        int((directory / TOLD_UP_TO).read_text()),
        slots=_free_slots(stack, world, token),
    )


def run_jobs(stack: TortureStack, evidence: Evidence, directory: Path) -> None:
    """What Daybook itself finds: in the journal, in a replay of it, in read models made anew, under its signatures."""
    jobs = evidence.jobs
    jobs[VERIFY] = stack.job("verify")
    jobs["replay"] = stack.job("replay")
    for name in ("appointments", "resource_calendars", "availability"):
        jobs[f"rebuild {name}"] = stack.job("rebuild", name)
    jobs["replay after rebuild"] = stack.job("replay")
    jobs[PROOFS] = _proved(stack, evidence.journal[-1].position, directory / "exported.jsonl")


def _proved(stack: TortureStack, head: int, file: Path) -> tuple[int, Any]:
    """What an auditor finds who is given the journal as it is exported, and the key of who signs it."""
    deadline = time.monotonic() + SIGNED_WITHIN_S
    signed, key = 0, ""
    while signed < head:
        if time.monotonic() > deadline:
            raise NeverQuiet(f"signed up to {signed}, not to {head}")
        time.sleep(0.5)
        with stack.connect() as connection:
            last = "SELECT position, public_key FROM proofs.signed_checkpoint ORDER BY size DESC LIMIT 1"
            signed, key = connection.execute(last).fetchone() or (0, "")
    stack.job("export", str(file))
    return stack.job("verify", "--proofs", str(file), "--key", key)


def _free_slots(stack: TortureStack, world: World, token: str) -> dict[str, list[str]]:
    found = {}
    for url in stack.urls:
        client = Client(url, token)
        for place in world.places:
            told = client.get(
                f"/v1/services/{place.service_id}/slots", start=world.start_of(0), end=world.start_of(place.slots)
            )
            found[f"{url} {place.service_id}"] = [slot["start"] for slot in told["slots"]]
    return found


def _stored(row: tuple[int, UUID, int, str, bytes]) -> Stored:
    position, stream_id, version, topic, state = row
    told = json.loads(state)
    meta = told["meta"]
    at = datetime.fromisoformat(meta["at"])
    return Stored(position, stream_id, version, topic, told["data"], meta["org"], UUID(meta["command"]), at)


def _topic(stack: TortureStack) -> tuple[list[OnTopic], int]:
    """All that is on the topic now, partition by partition, and how many there are."""
    consumer = Consumer(
        {"bootstrap.servers": stack.servers.kafka_bootstrap, "group.id": uuid4().hex, "enable.auto.commit": False}
    )
    name = stack.running.environment.get("DAYBOOK_KAFKA_TOPIC", "daybook.facts")
    found: list[OnTopic] = []
    try:
        partitions = consumer.list_topics(name, timeout=10).topics[name].partitions
        for partition in partitions:
            at = TopicPartition(name, partition, 0)
            low, high = consumer.get_watermark_offsets(at, timeout=10)
            consumer.assign([TopicPartition(name, partition, low)])
            next_offset = low
            while next_offset < high:
                messages = consumer.consume(500, timeout=10)
                assert messages, f"partition {partition} ends at {next_offset}, not at {high}"
                for message in messages:
                    headers: Any = dict(message.headers() or [])
                    next_offset = int(message.offset() or 0) + 1
                    found.append(
                        OnTopic(partition, next_offset - 1, int(headers["ce_id"]), int(headers["ce_previous"]))
                    )
    finally:
        consumer.close()
    return found, len(partitions)
