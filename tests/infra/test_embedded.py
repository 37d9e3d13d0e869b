"""The embedded servers are the real ones, and forget only what they may."""

from uuid import uuid4

import psycopg
import redis
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic


def test_a_test_module_gets_a_database_of_its_own(postgres_url: str) -> None:
    with psycopg.connect(postgres_url) as connection:
        row = connection.execute("SELECT current_setting('fsync'), current_database()").fetchone()

    assert row
    assert row[0] == "on"
    assert row[1].startswith("test_")


def test_valkey_answers(valkey_url: str) -> None:
    with redis.Redis.from_url(valkey_url) as client:
        assert client.ping()
        assert client.dbsize() == 0


def test_the_broker_speaks_kafka(broker: str) -> None:
    topic = f"embedded-{uuid4().hex}"
    client = AdminClient({"bootstrap.servers": broker})

    [made] = client.create_topics([NewTopic(topic, 3)]).values()
    made.result(10)

    assert len(client.list_topics(topic, timeout=10).topics[topic].partitions) == 3
