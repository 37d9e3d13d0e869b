"""The command line starts fast and says in one line what is wrong."""

import subprocess
import sys

import pytest


def daybook(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    path = {"PATH": "/usr/bin:/bin"}
    argv = [sys.executable, "-m", "infra.cli", *arguments]
    return subprocess.run(argv, capture_output=True, text=True, check=False, env={**path, **environment})


@pytest.mark.parametrize("verb", ["serve", "relay", "project", "notify", "timekeeper", "migrate", "verify", "replay"])
def test_a_process_without_its_settings_ends_with_one_line(verb: str) -> None:
    done = daybook(verb)

    assert done.returncode == 2
    assert done.stderr == "daybook: DAYBOOK_DATABASE_URL is missing\n"


def test_a_process_without_one_setting_names_it() -> None:
    done = daybook("serve", DAYBOOK_DATABASE_URL="postgresql://postgres@/daybook")

    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("daybook: DAYBOOK_")
    assert done.stderr.endswith(" is missing\n")


def test_an_unknown_read_model_is_refused() -> None:
    done = daybook("rebuild", "horoscopes", DAYBOOK_DATABASE_URL="postgresql://postgres@/daybook")

    assert done.returncode == 2
    assert "horoscopes" in done.stderr
    assert "appointments" in done.stderr


def test_help_names_every_process() -> None:
    done = daybook("--help")

    assert done.returncode == 0
    for verb in ("serve", "relay", "project", "notify", "timekeeper", "migrate", "dev", "demo", "rebuild", "verify"):
        assert verb in done.stdout


def test_no_vendor_is_imported_before_it_is_needed() -> None:
    heavy = (
        "{'psycopg', 'fastapi', 'kafka', 'redis', 'eventsourcing', 'twilio', 'sendgrid', 'firebase_admin', 'alembic'}"
    )
    code = f"import sys, infra.cli; print(sorted({heavy} & sys.modules.keys()))"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
