"""Whoever gets hold of a server, of the broker or of the logs does not learn who has an appointment."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest
import redis
from confluent_kafka import Consumer, TopicPartition
from psycopg import sql

from tests.journeys.visitor import EVERY_DAY, PASSWORD, TIME_ZONE, Visitor, owner_of_a_new_clinic
from tests.running import RunningStack

MARK = f"zq{uuid4().hex[:12]}"
"""Part of every name, address and text that is planted here, and of nothing else."""
PHONE = "+12025550177"
WAIT_S = 15.0


def planted_everywhere(stack: RunningStack) -> Visitor:
    """A clinic in which everything that may be personal was said, and a visit that went all the way."""
    owner = owner_of_a_new_clinic(stack.urls[0])
    resource = {"name": f"Dr {MARK}", "kind": "practitioner", "time_zone": TIME_ZONE, "working_hours": EVERY_DAY}
    doctor = owner.post("/resources", resource)["id"]
    terms = {"name": "Consultation", "duration_min": 30, "requirements": [{"resource_id": doctor}]}
    service = owner.post("/services", terms)["id"]
    email = f"{MARK}@example.com"
    someone = {"organization_id": owner.organization_id, "email": email, "password": f"{MARK}{PASSWORD}"}
    stranger = Visitor(owner.url, organization_id=owner.organization_id)
    person = stranger.post("/auth/register", {**someone, "display_name": f"Maria {MARK}", "phone": PHONE})["subject_id"]
    someone_else = {"display_name": f"Ivy {MARK}", "email": f"ivy.{MARK}@example.com", "locale": "pt"}
    owner.post("/customers", someone_else)
    owner.send("POST", "/customers", {"display_name": f"Bad {MARK}", "email": f"no address {MARK}"})
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).date()
    closed = {"start": f"{tomorrow}T08:00:00-03:00", "end": f"{tomorrow}T09:00:00-03:00", "reason": f"ill, {MARK}"}
    owner.post(f"/resources/{doctor}/closures", closed)
    window = {"start": tomorrow.isoformat(), "end": (tomorrow + timedelta(days=2)).isoformat()}
    slot = owner.get(f"/services/{service}/slots", **window)["slots"][0]["start"]
    patient = stranger.signed_in(email, f"{MARK}{PASSWORD}")
    patient.position = owner.position
    booking = {"service_id": service, "customer_id": person, "start": slot, "notes": f"a note, {MARK}"}
    visit = patient.post("/appointments", booking)
    await_messages(stack, email)
    patient.post(f"/appointments/{visit['id']}/cancel", {"reason": f"not today, {MARK}"}, if_match='"v1"')
    owner.position = patient.position
    return owner


def await_messages(stack: RunningStack, email: str) -> None:
    deadline = time.monotonic() + WAIT_S
    while email not in httpx.get(f"{stack.outbox_url}/outbox.json").text:
        assert time.monotonic() < deadline, "the confirmation was not sent"
        time.sleep(0.1)


def told_by_postgresql(database_url: str) -> Iterator[str]:
    """Tables and columns, of all schemas, in which a mark is found; the vault's among them."""
    with psycopg.connect(database_url) as connection:
        columns = connection.execute(
            "SELECT table_schema, table_name, column_name, data_type FROM information_schema.columns"
            " JOIN information_schema.tables USING (table_schema, table_name)"
            " WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema')"
        ).fetchall()
        for schema, table, column, kind in columns:
            value = sql.Identifier(column)
            # A text's bytes, so that what is JSON in a bytea column is searched as well as what is text.
            as_bytes = value if kind == "bytea" else sql.SQL("convert_to({}::text, 'UTF8')").format(value)
            query = sql.SQL(
                "SELECT count(*) FROM {} WHERE position(%s::bytea in {}) > 0 OR position(%s::bytea in {}) > 0"
            )
            found = connection.execute(
                query.format(sql.Identifier(schema, table), as_bytes, as_bytes), (MARK.encode(), PHONE.encode())
            ).fetchone()
            if found and found[0]:
                yield f"{schema}.{table}.{column}"


def told_by_kafka(bootstrap: str, topic: str) -> Iterator[str]:
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "whoever listens"})
    try:
        left = 0
        for partition in consumer.list_topics(topic, timeout=10).topics[topic].partitions:
            begin, end = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=10)
            consumer.incremental_assign([TopicPartition(topic, partition, begin)])
            left += end - begin
        assert left > 0
        while left > 0:
            message: Any = consumer.poll(10.0)
            left -= 1
            if MARK.encode() in message.value() + repr(message.headers()).encode():
                yield f"offset {message.offset()}"
    finally:
        consumer.close()


def told_by_redis(redis_url: str) -> Iterator[str]:
    with redis.Redis.from_url(redis_url) as client:
        for key in client.scan_iter("*"):
            value = client.dump(key) or b""
            if MARK.encode() in key + value:
                yield key.decode(errors="replace")


def told_by_logs(stack: RunningStack) -> Iterator[str]:
    for path in stack.logs.glob("*.log"):
        for line in path.read_text(errors="replace").splitlines():
            if MARK in line or PHONE in line:
                yield f"{path.name}: {line}"


@pytest.mark.kafka
def test_names_addresses_and_notes_are_readable_nowhere(stack: RunningStack) -> None:
    # given
    owner = planted_everywhere(stack)
    owner.get("/appointments")
    environment = stack.environment

    # when everything that is stored anywhere is searched
    found = {
        "postgresql": list(told_by_postgresql(environment["DAYBOOK_DATABASE_URL"])),
        "kafka": list(told_by_kafka(environment["DAYBOOK_KAFKA_BOOTSTRAP"], environment["DAYBOOK_KAFKA_TOPIC"])),
        "redis": list(told_by_redis(environment["DAYBOOK_REDIS_URL"])),
        "logs": list(told_by_logs(stack)),
    }

    # then nothing tells, although those who may see it do
    assert found == {"postgresql": [], "kafka": [], "redis": [], "logs": []}
    assert MARK in owner.ask("/customers", limit=200).text


def test_the_search_finds_what_is_there(stack: RunningStack) -> None:
    with psycopg.connect(stack.environment["DAYBOOK_DATABASE_URL"]) as connection:
        connection.execute("CREATE TABLE leak (words bytea)")
        connection.execute("INSERT INTO leak VALUES (%s)", (f'{{"name": "{MARK}"}}'.encode(),))
    try:
        assert list(told_by_postgresql(stack.environment["DAYBOOK_DATABASE_URL"])) == ["public.leak.words"]
    finally:
        with psycopg.connect(stack.environment["DAYBOOK_DATABASE_URL"]) as connection:
            connection.execute("DROP TABLE leak")
