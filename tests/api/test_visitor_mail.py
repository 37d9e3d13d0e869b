"""What a visitor is sent, and that nobody can read it any more once it has been of use. SECURITY.md rows 14 and 22."""

import pytest

from tests.api.house import House, made
from tests.api.post_office import PostOffice
from tests.api.stranger import Stranger


def sealed(house: House, table: str, column: str, its_id: str) -> list[bool]:
    """For each row, whether the secret itself is still there, beside its digest."""
    return [kept for (kept,) in house.api.rows(f"SELECT sealed IS NOT NULL FROM {table} WHERE {column} = '{its_id}'")]


@pytest.mark.security(14, 22)
def test_a_code_is_forgotten_once_it_is_used_and_a_link_once_it_is_sent(ada: Stranger, post_office: PostOffice) -> None:
    held = ada.holds("2026-12-17T09:00:00Z")
    code = ada.code_of(held)
    assert code in post_office.mail(ada.email, "").text.replace(" ", "")
    assert sealed(ada.house, "one_time_code", "key", held["id"]) == [True]  # it may have to be sent again

    booked = made(ada.confirms(held, code), 200)
    assert sealed(ada.house, "one_time_code", "key", held["id"]) == [False]
    assert sealed(ada.house, "visitor_link", "appointment_id", held["id"]) == [True]

    confirmation = post_office.mail(ada.email, "Confirmed")
    post_office.closes()
    assert f"#manage={booked['link_token']}" in confirmation.text
    assert sealed(ada.house, "visitor_link", "appointment_id", held["id"]) == [False]
    assert made(ada.sees(booked["link_token"]), 200)["id"] == held["id"]  # whoever received it has it
