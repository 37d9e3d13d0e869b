"""``daybook doctor`` finds what is unsafe on real servers, and nothing where all is well."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from adapters.projection_lag import Lag
from infra.doctor import of_processes, of_settings
from infra.doctor.finding import Severity
from tests.infra.deployment import Deployment, checks
from tests.running import RunningStack

pytestmark = pytest.mark.security(38, 40)


# The settings


@pytest.mark.parametrize(
    ("changed", "check", "severity"),
    [
        ({}, None, None),
        ({"environment": "test"}, "settings.environment", Severity.UNSAFE),
        ({"vault_key": None}, "settings.complete", Severity.UNSAFE),
        ({"redis_url": None}, "settings.complete", Severity.UNSAFE),
        ({"public_url": "http://booking.example"}, "settings.public_url", Severity.UNSAFE),
        ({"api_host": "0.0.0.0"}, "settings.hosts", Severity.ADVICE),
        ({"api_host": "10.0.0.7", "metrics_port": 9_100}, "settings.hosts", Severity.ADVICE),
        ({"twilio_account_sid": None}, "settings.providers", Severity.ADVICE),
        ({"environment": "test", "replay_clock": Path("/x")}, "settings.clock", Severity.UNSAFE),
        ({"environment": "test", "digest_secret": "change-me-change-me"}, "settings.secrets", Severity.UNSAFE),
        ({"environment": "test", "twilio_base_url": "http://127.0.0.1:1"}, "settings.providers", Severity.UNSAFE),
    ],
)
def test_settings_that_are_unsafe_are_told(
    deployment: Deployment, changed: dict[str, Any], check: str | None, severity: Severity | None
) -> None:
    found = [
        one
        for one in of_settings.of_settings(deployment.settings(**changed), {})
        if one.check != "settings.environment" or changed == {"environment": "test"}
    ]

    assert [(one.check, one.severity) for one in found] == ([(check, severity)] if check else [])


def test_one_key_for_two_purposes_is_told(deployment: Deployment) -> None:
    settings = deployment.settings(vault_key=deployment.given["signing_key"])

    assert checks(of_settings.of_settings(settings, {})) == ["settings.secrets"]


@pytest.mark.parametrize(("mode", "expected"), [(0o600, []), (0o640, []), (0o644, ["settings.files"])])
def test_a_secret_that_everybody_can_read_is_told(
    deployment: Deployment, tmp_path: Path, mode: int, expected: list[str]
) -> None:
    key = tmp_path / "vault.key"
    key.write_text("x")
    key.chmod(mode)
    settings = deployment.settings(firebase_credentials=key)

    assert checks(of_settings.of_settings(settings, {"DAYBOOK_VAULT_KEY_FILE": str(key)})) == expected * 2
    key.unlink()
    assert checks(of_settings.of_settings(settings, {})) == ["settings.files"]


# The processes


def test_missing_processes_are_told(deployment: Deployment, postgres_url: str) -> None:
    found = checks(of_processes.of_processes(deployment.settings(database_url=postgres_url)), Severity.UNSAFE)

    assert "processes.relay" in found
    assert "processes.read_models" in found


def test_a_read_model_that_is_late_and_a_disk_that_is_full_are_told(tmp_path: Path) -> None:
    now = datetime.now(UTC)

    assert checks(of_processes.late("appointments", Lag(), now)) == []
    assert checks(of_processes.late("appointments", Lag(3, now - timedelta(seconds=5)), now)) == []
    assert checks(of_processes.late("appointments", Lag(3, now - timedelta(minutes=5)), now)) == [
        "processes.read_models"
    ]
    assert checks(of_processes.disk(tmp_path, free_min=2**60)) == ["processes.disk"]


def test_the_command_says_it_in_lines_and_in_json_and_by_its_code(stack: RunningStack) -> None:
    def doctor(*arguments: str) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-m", "infra.cli", "doctor", *arguments]
        return subprocess.run(
            argv, env={**_environ(), **stack.environment}, capture_output=True, text=True, check=False
        )

    _await(lambda: "processes" not in doctor().stdout)
    plain, as_json = doctor(), doctor("--json")

    # A stack of the tests: everything runs, as a superuser and with a clock of its own.
    lines = plain.stdout.splitlines()
    assert plain.returncode == as_json.returncode == 1, plain.stderr
    assert any(line.startswith("unsafe  settings.environment") for line in lines)
    assert any(line.startswith("unsafe  postgres.user") for line in lines)
    assert lines[-1].startswith("doctor: unsafe in ")
    document = json.loads(as_json.stdout)
    assert document["safe"] is False
    assert {one["check"] for one in document["findings"]} >= {"settings.environment", "postgres.user"}
    assert len(document["findings"]) == len(lines) - 1


def test_settings_that_production_refuses_are_a_finding_too() -> None:
    argv = [sys.executable, "-m", "infra.cli", "doctor"]
    environ = {**_environ(), "DAYBOOK_DATABASE_URL": "postgresql://x@/y", "DAYBOOK_DIGEST_SECRET": "changeme" * 4}

    said = subprocess.run(argv, env=environ, capture_output=True, text=True, check=False)

    assert said.returncode == 1
    assert said.stdout.startswith("unsafe  settings.read")
    assert "changeme" not in said.stdout


def _environ() -> dict[str, str]:
    import os

    return {name: value for name, value in os.environ.items() if not name.startswith("DAYBOOK_")}


def _await(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.5)
