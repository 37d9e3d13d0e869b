"""The booking page in a real browser, over every process: the code comes from the mail that the provider was given."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import pytest

from tests.browser_session import Page, opened, until
from tests.journeys.visitor import Visitor, a_service_of_one_room, owner_of_a_new_clinic
from tests.running import RunningStack

pytestmark = pytest.mark.kafka


@pytest.fixture
def clinic(stack: RunningStack) -> Visitor:
    """A house in São Paulo with one service for everyone, and one that is nobody's business."""
    owner = owner_of_a_new_clinic(stack.urls[0])
    room_id, service_id = a_service_of_one_room(owner)
    terms = {"public": True, "price": {"amount": 18_000, "currency": "BRL"}, "slot_step_min": 60}
    assert owner.send("PATCH", f"/services/{service_id}", terms, if_match="*").is_success
    private = {"name": "Board meeting", "duration_min": 30, "requirements": [{"resource_id": room_id}]}
    owner.post("/services", private)
    massage = {"name": "Massage", "duration_min": 50, "public": True, "approval_required": True}
    owner.post("/services", {**massage, "requirements": [{"resource_id": room_id}]})
    owner.get("/services")  # the page comes after what was set up
    return owner


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    with opened(tmp_path / "profile") as page:
        page.looks()
        page.lives_in("Europe/Lisbon")
        yield page
        assert page.errors == []


def address(clinic: Visitor) -> str:
    return f"{clinic.url}/book/{clinic.organization_id}"


def mails_to(stack: RunningStack, email: str, subject: str) -> list[dict[str, Any]]:
    messages = httpx.get(f"{stack.outbox_url}/outbox.json", params={"to": email}).json()["messages"]
    return [message for message in messages if subject in message["subject"]]


def the_code(stack: RunningStack, email: str) -> str:
    mail = until(lambda: mails_to(stack, email, "is your code"), "no code has come")[0]
    found = re.search(r"\d{4} \d{4}", mail["text"])
    assert found
    return found[0]


def pick_a_time(page: Page) -> None:
    page.clicks(".turn[data-turn='1']")
    page.clicks(".day:not([disabled])")
    page.clicks(".chip")


def fill_in(page: Page, email: str) -> None:
    page.types("#display_name", "Ada <b>Canary</b>")
    page.types("#email", email)
    page.types("#notes", "My left knee")
    page.clicks("button.main", "Send me the code")


def test_a_stranger_books_moves_and_cancels_a_visit(clinic: Visitor, stack: RunningStack, page: Page) -> None:
    email = f"ada-{uuid4().hex}@example.com"
    page.goes_to(address(clinic))
    page.shows("What can we do for you?")
    assert "Board meeting" not in page.run("document.body.innerText")
    page.clicks(".service", "Consultation")
    pick_a_time(page)
    page.shows("Who is coming?")
    page.shows("at the house (Sao Paulo)")
    fill_in(page, email)

    page.shows("Check your messages")
    page.types("#code", "0000 0000")
    page.clicks("button.main", "Confirm")
    page.shows("That code is not right")
    page.types("#code", the_code(stack, email))
    page.clicks("button.main", "Confirm")
    page.shows("See you then!")

    mail = until(lambda: mails_to(stack, email, "Confirmed"), "no confirmation has come")[0]
    link = re.search(r"http\S+#manage=\S+", mail["text"])
    assert link
    assert page.run("document.querySelector('#manage').href") == link[0]
    assert page.run("document.querySelector('a[download]').download") == "visit.ics"

    page.goes_to("about:blank")
    page.goes_to(link[0])
    page.shows("Confirmed")
    before = page.run("document.querySelector('h1').innerText")
    page.clicks("button", "Another time")
    page.clicks(".day:not([disabled]):not([aria-pressed=true])")
    page.clicks(".chip")
    page.shows("Your visit has moved.")
    assert page.run("document.querySelector('h1').innerText") != before
    page.clicks("button", "Cancel the visit")
    page.clicks("dialog button", "Yes, cancel it")
    page.shows("The visit is cancelled.")
    page.shows("Cancelled")


def test_a_time_that_was_just_taken_is_answered_with_others_to_press(
    clinic: Visitor, stack: RunningStack, page: Page
) -> None:
    email = f"eva-{uuid4().hex}@example.com"
    page.goes_to(address(clinic))
    page.clicks(".service", "Consultation")
    page.clicks(".turn[data-turn='1']")
    page.clicks(".day:not([disabled])")
    page.eventually("!!document.querySelector('.chip')")
    start = page.run("document.querySelector('.chip').dataset.start")
    service = page.run("fetch(`/v1/public/${location.pathname.split('/')[2]}/services`).then((a) => a.json())")
    service_id = next(one["id"] for one in service["items"] if one["name"] == "Consultation")
    customer = clinic.post("/customers", {"display_name": "Faster"})
    clinic.post("/appointments", {"service_id": service_id, "customer_id": customer["id"], "start": start})
    page.clicks(".chip")
    fill_in(page, email)

    page.shows("Somebody was faster")
    page.clicks(".notice .chip")
    page.shows("Who is coming?")
    assert page.run("document.querySelector('#email').value") == email  # nothing is typed twice
    page.clicks("button.main", "Send me the code")
    page.shows("Check your messages")
    page.types("#code", the_code(stack, email))
    page.clicks("button.main", "Confirm")
    page.shows("See you then!")


def test_the_page_fits_a_phone_and_is_worked_without_a_mouse(clinic: Visitor, page: Page) -> None:
    page.looks(width=390, height=844, mobile=True)
    page.goes_to(address(clinic))
    page.clicks(".service", "Consultation")
    page.eventually("!!document.querySelector('.day:not([disabled])')")
    page.clicks(".turn[data-turn='1']")
    page.shows("Choose a day.")
    page.clicks(".day:not([disabled])")
    page.eventually("!!document.querySelector('.chip')")
    assert page.run("document.documentElement.scrollWidth") <= 390
    small = page.run(
        "[...document.querySelectorAll('button:not([disabled])')].filter((one) => one.checkVisibility())"
        ".map((one) => one.getBoundingClientRect()).filter((box) => box.height < 40 || box.width < 40).length"
    )
    assert small == 0
    unnamed = page.run(
        "[...document.querySelectorAll('button, a, input, textarea')]"
        ".filter((one) => !(one.innerText.trim() || one.ariaLabel || one.labels?.length)).length"
    )
    assert unnamed == 0
    page.run("document.querySelector('.day:not([disabled])').focus()")
    page.ask("Input.dispatchKeyEvent", type="keyDown", key="ArrowRight", code="ArrowRight")
    assert page.run("document.activeElement.classList.contains('day')")
    page.run("document.activeElement.click()")  # as Enter does to a button
    page.eventually("document.activeElement.getAttribute('aria-pressed') === 'true'")


def test_the_page_runs_nothing_but_its_own_files(clinic: Visitor) -> None:
    answer = httpx.get(address(clinic))

    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "<script>" not in answer.text
    assert "style=" not in answer.text
    for asset in re.findall(r'(?:src|href)="(/book/assets/[^"]+)"', answer.text):
        assert httpx.get(f"{clinic.url}{asset}").status_code == 200
    assert urlsplit(address(clinic)).path.endswith(clinic.organization_id)
    assert httpx.get(f"{clinic.url}/book/assets/booking_page.py").status_code == 404
    assert httpx.get(f"{clinic.url}/book/x").status_code == 404
