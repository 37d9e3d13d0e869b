"""Secrets come from the environment or from files, and production takes none that could be guessed."""

import base64
import secrets
from pathlib import Path

import pytest

from infra.secret_settings import weakness_of
from infra.settings import SettingsError, load_settings

STRONG = base64.b64encode(bytes(range(100, 140, 2)) + bytes(range(7, 31, 2))).decode()


@pytest.fixture(autouse=True)
def only_these_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in list(os.environ):
        if name.startswith("DAYBOOK_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("DAYBOOK_DATABASE_URL", "postgresql://postgres@/daybook")


@pytest.mark.parametrize("name", ["VAULT_KEY", "SIGNING_KEY"])
def test_a_key_may_be_in_a_file_as_containers_mount_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    (tmp_path / "key").write_text(STRONG + "\n")
    monkeypatch.setenv(f"DAYBOOK_{name}_FILE", str(tmp_path / "key"))

    key = getattr(load_settings(), name.lower())

    assert key.get_secret_value() == base64.b64decode(STRONG)


def test_the_database_url_may_be_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "url").write_text("postgresql://daybook:secret@db/daybook")
    monkeypatch.delenv("DAYBOOK_DATABASE_URL")
    monkeypatch.setenv("DAYBOOK_DATABASE_URL_FILE", str(tmp_path / "url"))

    assert load_settings().database_url == "postgresql://daybook:secret@db/daybook"


def test_a_secret_that_is_given_twice_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "key").write_text(STRONG)
    monkeypatch.setenv("DAYBOOK_VAULT_KEY_FILE", str(tmp_path / "key"))
    monkeypatch.setenv("DAYBOOK_VAULT_KEY", STRONG)

    with pytest.raises(SettingsError, match=r"^DAYBOOK_VAULT_KEY and DAYBOOK_VAULT_KEY_FILE are both set"):
        load_settings()


@pytest.mark.parametrize(
    ("content", "complaint"), [(None, "cannot be read"), (b"", "is empty"), (b"\xff\xfe\x00", "is no text")]
)
def test_a_file_that_holds_no_secret_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes | None, complaint: str
) -> None:
    if content is not None:
        (tmp_path / "secret").write_bytes(content)
    monkeypatch.setenv("DAYBOOK_DIGEST_SECRET_FILE", str(tmp_path / "secret"))

    with pytest.raises(SettingsError, match=rf"^DAYBOOK_DIGEST_SECRET_FILE: .* {complaint}"):
        load_settings()


def test_old_signing_keys_are_several(monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = secrets.token_bytes(32), secrets.token_bytes(32)
    given = ", ".join(base64.b64encode(key).decode() for key in (one, other))
    monkeypatch.setenv("DAYBOOK_SIGNING_KEYS_OLD", given)

    assert [key.get_secret_value() for key in load_settings().signing_keys_old] == [one, other]


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("VAULT_KEY", base64.b64encode(bytes(32)).decode(), "has too little in it"),
        ("SIGNING_KEY", base64.b64encode(bytes(range(32))).decode(), "counts up"),
        (
            "SIGNING_KEY",
            base64.b64encode(b"0\xbd\x07\x9cL4\xc3\xc8m\x91\xdb8\x0e\x86\x8ft" * 2).decode(),
            "repeats itself",
        ),
        ("SIGNING_KEYS_OLD", f"{STRONG},{base64.b64encode(bytes(32)).decode()}", "has too little in it"),
        ("DIGEST_SECRET", "a secret of the tests", "is one that everybody knows"),
        ("DIGEST_SECRET", "please-ChangeMe-soon!", "is one that everybody knows"),
        ("DIGEST_SECRET", "aaaaaaaaaaaaaaaaaaaaaaaa", "has too little in it"),
    ],
)
def test_production_refuses_a_weak_secret_that_a_test_may_have(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, complaint: str
) -> None:
    monkeypatch.setenv(f"DAYBOOK_{name}", value)

    with pytest.raises(SettingsError, match=rf"^DAYBOOK_{name} is refused in production: it {complaint}") as refused:
        load_settings()
    load_settings(environment="test")

    assert value not in str(refused.value)


def test_what_a_machine_has_drawn_at_random_is_strong() -> None:
    drawn = [secrets.token_bytes(32) for _ in range(500)] + [secrets.token_urlsafe(24).encode() for _ in range(500)]

    assert [secret for secret in drawn if weakness_of(secret)] == []
