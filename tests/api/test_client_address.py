"""Whom a request comes from is worked out from the right, and only proxies of ours are believed."""

import pytest

from api.client_address import UNKNOWN, ClientAddresses

PROXIES = ("10.0.0.0/8", "fd00::/8")


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("203.0.113.7", "", "203.0.113.7"),
        ("203.0.113.7", "198.51.100.1", "203.0.113.7"),  # no proxy of ours: anyone can write that
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "1.2.3.4, 198.51.100.1", "198.51.100.1"),  # what stands on the left is hearsay
        ("10.0.0.1", "1.2.3.4, 198.51.100.1, 10.2.2.2", "198.51.100.1"),
        ("10.0.0.1", "10.3.3.3, 10.2.2.2", "10.3.3.3"),
        ("10.0.0.1", "nonsense", "10.0.0.1"),
        ("10.0.0.1", "1.2.3.4, , 10.2.2.2", "10.2.2.2"),
        ("fd00::1", "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "", "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.7", "", "203.0.113.7"),
        ("10.0.0.1", "[2001:db8::1]", "2001:db8::/64"),
        ("", "", UNKNOWN),
        ("a socket file", "1.2.3.4", UNKNOWN),
    ],
)
def test_the_client_is_the_first_from_the_right_that_is_no_proxy_of_ours(
    peer: str, forwarded: str, client: str
) -> None:
    assert ClientAddresses(PROXIES, b"secret").address(peer, forwarded) == client


def test_what_leaves_is_a_digest_that_only_we_can_make() -> None:
    scope = {"client": ("203.0.113.7", 1), "headers": []}
    ours, theirs = (ClientAddresses((), secret).digest(scope) for secret in (b"ours", b"theirs"))

    assert ours != theirs
    assert "203" not in ours[:3]
    assert ours == ClientAddresses((), b"ours").digest({"client": ("203.0.113.7", 9), "headers": []})


def test_several_headers_are_read_as_one() -> None:
    addresses = ClientAddresses(PROXIES, b"secret")
    one = {"client": ("10.0.0.1", 1), "headers": [(b"x-forwarded-for", b"1.2.3.4, 198.51.100.1")]}
    two = {
        "client": ("10.0.0.1", 1),
        "headers": [(b"x-forwarded-for", b"1.2.3.4"), (b"x-forwarded-for", b"198.51.100.1")],
    }

    assert addresses.digest(one) == addresses.digest(two)
