"""What ``make test-kafka`` says where it cannot run."""

from pathlib import Path

import pytest

from infra.embedded import ServerFailed
from infra.kafka import apache_kafka
from infra.kafka.apache_kafka import fetched_jars, main, running


def executable(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


@pytest.fixture
def bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which programs are looked for: there are none but ``sh``, and nothing was fetched before."""
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setattr(apache_kafka, "BUILD_DIR", tmp_path / "build")
    return programs


def test_without_java_it_says_so_in_one_line_and_fails(bare_machine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main() == 1
    assert capsys.readouterr().err == "test-kafka: Apache Kafka needs Java 17 or later, which is not installed\n"


def test_an_old_java_is_refused(bare_machine: Path, tmp_path: Path) -> None:
    executable(bare_machine / "java", """echo 'openjdk version "11.0.2" 2019-01-15' >&2""")
    with pytest.raises(ServerFailed, match="this is openjdk version"), running(tmp_path / "kafka"):
        pass


def test_without_maven_it_says_so(bare_machine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    executable(bare_machine / "java", """echo 'openjdk version "21" 2023-09-19' >&2""")
    assert main() == 1
    assert capsys.readouterr().err == "test-kafka: Apache Kafka needs Maven (mvn), which is not installed\n"


def test_what_maven_complains_of_is_passed_on_in_one_line(bare_machine: Path) -> None:
    executable(bare_machine / "mvn", "echo '[ERROR] no such host'; echo '[ERROR] more'; exit 1")
    with pytest.raises(ServerFailed, match=r"could not fetch Apache Kafka: \[ERROR\] no such host$"):
        fetched_jars()
