"""A real browser, where the machine has one."""

import shutil
import subprocess
from pathlib import Path

import pytest

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
QUIET = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Whatever is not on this machine does not exist: a page that needs a CDN shows it.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)


def browser() -> str:
    """Skips the test where there is none."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip(f"no browser on this machine ({', '.join(BROWSERS)})")
    return found


def page_as_seen(url: str, profile: Path, *, after_ms: int = 5_000) -> str:
    """The document after its scripts have run. Skips the test where there is no browser."""
    budget = f"--virtual-time-budget={after_ms}"
    seen = subprocess.run(
        [browser(), *QUIET, f"--user-data-dir={profile}", budget, "--dump-dom", url],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return seen.stdout
