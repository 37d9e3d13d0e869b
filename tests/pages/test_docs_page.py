from pathlib import Path

from tests.api.running_api import RunningApi
from tests.browser import page_as_seen


def test_the_documentation_is_drawn_without_any_other_machine(api: RunningApi, tmp_path: Path) -> None:
    page = page_as_seen(f"{api.url}/docs", tmp_path)
    assert "/v1/appointments" in page
    assert "operations-tag-" in page  # drawn by the script, not only served
