"""What is installed is pinned by version and hash, and an advisory that concerns it fails CI (SECURITY.md, row 40)."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from infra.dependencies.audit import CONCERNED, LOCK, UNASKED, asked_about, verdict

pytestmark = pytest.mark.security(40)

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"


def locked() -> dict[str, list[tuple[str, str]]]:
    """By package: each version that is pinned (they may differ by Python), with its hashes."""
    pins: dict[str, list[tuple[str, str]]] = {}
    for entry in re.split(r"\n(?=\w)", LOCK.read_text()):
        pinned = re.match(r"([\w.\-]+)(?:\[[\w,]+\])?==([^\s;]+)", entry)
        assert pinned, entry[:80]
        pins.setdefault(canonicalize_name(pinned[1]), []).append((pinned[2], entry))
    return pins


def test_every_package_is_pinned_with_hashes() -> None:
    pins = locked()

    assert len(pins) > 50
    for name, versions in pins.items():
        for version, entry in versions:
            assert "--hash=sha256:" in entry, f"{name} {version}"


def test_every_dependency_is_locked_at_a_version_that_it_allows() -> None:
    project = tomllib.loads(PYPROJECT.read_text())["project"]
    named = [*project["dependencies"], *(one for extra in project["optional-dependencies"].values() for one in extra)]
    pins = locked()

    for wanted in map(Requirement, named):
        if canonicalize_name(wanted.name) != "daybook":
            versions = pins.get(canonicalize_name(wanted.name))
            assert versions, f"{wanted.name} is not in the lock: make lock"
            assert all(wanted.specifier.contains(version) for version, _ in versions), f"{wanted}: make lock"


@pytest.mark.parametrize(
    ("dependencies", "code", "says"),
    [
        ([{"name": "a", "version": "1", "vulns": []}], 0, "0 advisories concern 1 packages"),
        (
            [{"name": "a", "version": "1", "vulns": [{"id": "CVE-1", "fix_versions": ["2"]}]}],
            CONCERNED,
            "a 1: CVE-1, mended in 2",
        ),
        ([{"name": "a", "version": "1", "vulns": [{"id": "X", "fix_versions": []}]}], CONCERNED, "no version yet"),
        ([{"name": "a", "skip_reason": "not found"}], UNASKED, "COULD NOT ASK about 1"),
        (
            [
                {"name": "a", "version": "1", "vulns": [{"id": "X", "fix_versions": []}]},
                {"name": "b", "skip_reason": "away"},
            ],
            CONCERNED,
            "COULD NOT ASK about 1",
        ),
    ],
)
def test_an_advisory_fails_and_what_could_not_be_asked_is_said(
    dependencies: list[dict[str, Any]], code: int, says: str
) -> None:
    found = verdict(dependencies)

    assert found.code == code
    assert says in "\n".join(found.lines)


@pytest.mark.parametrize("prints", ["", "not JSON", "{}"])
def test_an_audit_that_fails_as_a_whole_has_asked_about_nothing(tmp_path: Path, prints: str) -> None:
    program = tmp_path / "pip-audit"
    program.write_text(f"#!/bin/sh\necho '{prints}'\necho 'no way to the service' >&2\nexit 1\n")
    program.chmod(0o755)

    found = asked_about(LOCK, str(program))

    assert found.code == UNASKED
    assert "no way to the service" in found.unasked[0]
