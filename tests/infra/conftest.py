"""A deployment for doctor, found safe but for what a test changes."""

import os
from base64 import b64encode
from pathlib import Path
from secrets import token_bytes, token_urlsafe

import psycopg
import pytest

from infra.embedded import EmbeddedStack
from tests.infra.deployment import Deployment


@pytest.fixture
def deployment(
    servers: EmbeddedStack, postgres_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Deployment:
    for name in [name for name in os.environ if name.startswith("DAYBOOK_")]:
        monkeypatch.delenv(name)
    (tmp_path / "firebase.json").touch(mode=0o600)
    return Deployment(
        {
            "database_url": _as_the_apis_user(postgres_url),
            "redis_url": servers.redis_url,
            "kafka_bootstrap": servers.kafka_bootstrap,
            "kafka_topic": "facts.of.doctor",
            "kafka_partitions": 2,
            "public_url": "https://booking.example",
            "vault_key": b64encode(token_bytes(32)).decode(),
            "signing_key": b64encode(token_bytes(32)).decode(),
            "digest_secret": token_urlsafe(32),
            "sendgrid_api_key": "SG.x",
            "sendgrid_from": "a@booking.example",
            "twilio_account_sid": "AC1",
            "firebase_credentials": tmp_path / "firebase.json",
        }
    )


def _as_the_apis_user(url: str) -> str:
    with psycopg.connect(url, autocommit=True) as connection:
        if connection.execute("SELECT to_regrole('doctors_api')").fetchone() == (None,):
            connection.execute("CREATE ROLE doctors_api LOGIN IN ROLE daybook_api")
    return url.replace("postgresql://postgres@", "postgresql://doctors_api@")
