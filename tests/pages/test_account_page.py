"""The page that the links in mails lead to, in a real browser. SECURITY.md rows 15 and 22: opening it does nothing."""

from pathlib import Path

import pytest

from tests.api.running_api import RunningApi
from tests.browser import page_as_seen


@pytest.mark.security(15, 22)
@pytest.mark.parametrize(
    ("link", "heading"),
    [
        ("#verify-email=abc", "Confirm your e-mail address"),
        ("#reset-password=abc", "Choose a new password"),
        ("", "Please open the link from your e-mail."),
        ("#other=abc", "Please open the link from your e-mail."),
    ],
)
def test_a_link_is_explained_and_nothing_is_done_by_opening_it(
    api: RunningApi, tmp_path: Path, link: str, heading: str
) -> None:
    before = api.rows("SELECT count(*) FROM receipts")

    page = page_as_seen(f"{api.url}/account{link}", tmp_path)

    assert heading in page
    assert "abc" not in page
    assert api.rows("SELECT count(*) FROM receipts") == before


def test_the_page_runs_no_script_but_its_own(api: RunningApi) -> None:
    with api.client() as client:
        page = client.get("/account")
        assert "script-src 'self'" in page.headers["Content-Security-Policy"]
        assert "unsafe" not in page.headers["Content-Security-Policy"]
        for path in ("/account/account.js", "/account/account.css"):
            assert f'"{path}"' in page.text
            assert client.get(path).status_code == 200
