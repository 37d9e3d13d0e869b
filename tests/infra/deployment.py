"""A deployment for doctor to look at: settings as an operator would make them, of real servers."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from infra.doctor.finding import Finding, Severity
from infra.settings import Settings, load_settings


@dataclass(frozen=True)
class Deployment:
    """Settings as an operator would make them, of real servers."""

    given: dict[str, Any]

    def settings(self, **changed: Any) -> Settings:
        return load_settings(**{**self.given, **changed})


def checks(found: Iterator[Finding], severity: Severity | None = None) -> list[str]:
    return [one.check for one in found if severity in {None, one.severity}]
