"""Whether a known advisory concerns anything in ``requirements.lock``: ``make audit``. pip-audit asks PyPI; we read it.

pip-audit by itself says "no known vulnerabilities" also where it could ask about nothing. Here that is said plainly.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LOCK = Path(__file__).with_name("requirements.lock")
CONCERNED, UNASKED = 1, 3


@dataclass(frozen=True, slots=True)
class Verdict:
    """``advisories``: a line for each; ``asked`` of so many packages, ``unasked`` are the names of the others."""

    advisories: Sequence[str]
    asked: int
    unasked: Sequence[str]

    @property
    def code(self) -> int:
        """0 only if every package was asked about and none is concerned."""
        if self.advisories:
            return CONCERNED
        return UNASKED if self.unasked else 0

    @property
    def lines(self) -> list[str]:
        said = [*self.advisories, f"audit: {len(self.advisories)} advisories concern {self.asked} packages asked about"]
        if self.unasked:
            said.append(f"audit: COULD NOT ASK about {len(self.unasked)} packages; nothing is known of them")
        return said


def verdict(dependencies: Sequence[dict[str, Any]]) -> Verdict:
    """Of pip-audit's JSON: each has a ``name`` with ``version`` and ``vulns``, or with a ``skip_reason``."""
    asked = [one for one in dependencies if "skip_reason" not in one]
    return Verdict(
        [
            f"{one['name']} {one['version']}: {vulnerability['id']},"
            f" mended in {', '.join(vulnerability['fix_versions']) or 'no version yet'}"
            for one in asked
            for vulnerability in one["vulns"]
        ],
        len(asked),
        [one["name"] for one in dependencies if "skip_reason" in one],
    )


def asked_about(lock: Path, program: str) -> Verdict:
    """Raises ``OSError``. Where pip-audit fails as a whole nothing was asked."""
    argv = [program, "--requirement", str(lock), "--disable-pip", "--require-hashes", "--format", "json"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)  # noqa: S603  argv is ours
    try:
        return verdict(json.loads(done.stdout)["dependencies"])
    except (ValueError, KeyError):
        said = (done.stderr.strip().splitlines() or ["pip-audit said nothing"])[-1]
        return Verdict([], 0, [f"all of them ({said})"])


def main() -> int:
    found = asked_about(LOCK, sys.argv[1])
    sys.stdout.writelines(f"{line}\n" for line in found.lines)
    return found.code


if __name__ == "__main__":
    sys.exit(main())
