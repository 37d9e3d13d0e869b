"""A missing or wrong setting is told in one line that names it, and never quotes a secret."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from infra.settings import SettingsError, load_settings, needed

SEED = bytes(range(32))
DATABASE = "postgresql://postgres@/daybook"


@pytest.fixture(autouse=True)
def only_these_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in list(os.environ):
        if name.startswith("DAYBOOK_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("DAYBOOK_DATABASE_URL", DATABASE)


def test_a_missing_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DAYBOOK_DATABASE_URL")

    with pytest.raises(SettingsError, match=r"^DAYBOOK_DATABASE_URL is missing$"):
        load_settings()


def test_a_process_names_what_it_needs() -> None:
    settings = load_settings()

    with pytest.raises(SettingsError, match=r"^DAYBOOK_REDIS_URL is missing$"):
        needed(settings.redis_url, "redis_url")


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("DATABASE_URL", "mysql://x", "must be a URL that begins with postgresql: or postgres:"),
        ("REDIS_URL", "localhost", "must be a URL that begins with redis: or rediss: or unix:"),
        ("KAFKA_BOOTSTRAP", "localhost", "must be host:port, several separated by commas"),
        ("KAFKA_PARTITIONS", "0", "greater than or equal to 1"),
        ("API_PORT", "eighty", "valid integer"),
        ("VAULT_KEY", "c2hvcnQ=", "must be 32 bytes in base64, not 5"),
        ("VAULT_KEY", "not base64!", "must be base64"),
        ("DIGEST_SECRET", "short", "at least 16"),
        ("ENVIRONMENT", "prod", "'development', 'test' or 'production'"),
        ("SENDGRID_BASE_URL", "mail.example", "must be a URL that begins with http: or https:"),
        ("PROVIDER_TIMEOUT_S", "0", "greater than 0"),
    ],
)
def test_a_wrong_setting_is_named_in_one_line(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, complaint: str
) -> None:
    monkeypatch.setenv(f"DAYBOOK_{name}", value)

    with pytest.raises(SettingsError) as wrong:
        load_settings()

    assert str(wrong.value).startswith(f"DAYBOOK_{name}: ")
    assert complaint in str(wrong.value)
    assert "\n" not in str(wrong.value)


def test_a_wrong_secret_is_not_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAYBOOK_VAULT_KEY", "c2VjcmV0LWJ1dC1zaG9ydA==")

    with pytest.raises(SettingsError) as wrong:
        load_settings()

    assert "c2VjcmV0" not in str(wrong.value)


def test_a_signing_key_may_be_written_as_a_seed_or_as_pem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAYBOOK_ENVIRONMENT", "test")
    pem = ed25519.Ed25519PrivateKey.from_private_bytes(SEED).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    for written in (base64.b64encode(SEED).decode(), pem.decode()):
        monkeypatch.setenv("DAYBOOK_SIGNING_KEY", written)

        settings = load_settings()

        assert needed(settings.signing_key, "signing_key").get_secret_value() == SEED


def test_a_signing_key_of_another_kind_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    monkeypatch.setenv("DAYBOOK_SIGNING_KEY", pem.decode())

    with pytest.raises(SettingsError, match="DAYBOOK_SIGNING_KEY: must be an Ed25519 key"):
        load_settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("REPLAY_CLOCK", "/var/lib/clock"),
        ("TWILIO_BASE_URL", "http://api.twilio.com"),
        ("SENDGRID_BASE_URL", "https://127.0.0.1:9000"),
        ("SENDGRID_BASE_URL", "https://localhost"),
        ("FIREBASE_BASE_URL", "http://127.0.0.1:9000"),
        ("FIREBASE_BASE_URL", "https://192.168.1.5"),
        ("WEBHOOK_LOOPBACK", "true"),
    ],
)
def test_production_refuses_what_only_development_may_have(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"DAYBOOK_{name}", value)

    monkeypatch.setenv("DAYBOOK_ENVIRONMENT", "development")
    load_settings()
    monkeypatch.setenv("DAYBOOK_ENVIRONMENT", "production")
    with pytest.raises(SettingsError, match=rf"^DAYBOOK_{name} is refused in production"):
        load_settings()


def test_what_says_nothing_is_production() -> None:
    assert load_settings().environment == "production"
