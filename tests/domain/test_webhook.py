"""SECURITY.md row 34: what may be an endpoint, and which addresses are public. Names are judged at each delivery."""

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.public_address import ensure_valid_url, is_loopback, is_public
from domain.refusals import InvalidValue
from domain.webhook import ensure_valid_topics, wants

pytestmark = pytest.mark.security(34)

PRIVATE = [
    "0.0.0.0", "10.0.0.1", "100.64.0.1", "127.0.0.1", "169.254.169.254", "172.31.255.255", "192.0.2.1", "192.168.0.1",
    "198.18.0.1", "224.0.1.1", "240.0.0.1", "255.255.255.255", "::", "::1", "::7f00:1", "::ffff:10.0.0.1",
    "64:ff9b::a00:1", "2001::1", "2001:db8::1", "2002:a00:1::", "fc00::1", "fd00:ec2::254", "fe80::1", "fec0::1",
    "ff0e::1",
]  # fmt: skip
PUBLIC = ["1.1.1.1", "93.184.215.14", "2606:4700:4700::1111", "::ffff:93.184.215.14", "2002:5db8:d70e::1"]


@pytest.mark.parametrize("address", PRIVATE)
def test_special_addresses_are_not_public(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize("address", PUBLIC)
def test_addresses_of_the_internet_are_public(address: str) -> None:
    assert is_public(ip_address(address))


@given(st.ip_addresses(v=4).map(IPv4Address))
def test_an_address_written_as_another_kind_is_judged_as_what_it_is(address: IPv4Address) -> None:
    mapped = IPv6Address(f"::ffff:{address}")
    sixtofour = IPv6Address((0x2002 << 112) | (int(address) << 80))

    assert is_public(mapped) == is_public(sixtofour) == is_public(address)
    assert is_loopback(mapped) == is_loopback(address)


@pytest.mark.parametrize(
    "url",
    [
        "https://crm.example.com/daybook", "https://crm.example.com:8443/a?b=c", "https://93.184.215.14/",
        "https://[2606:4700:4700::1111]/", "https://xn--mnchen-3ya.example/",
    ],
)  # fmt: skip
def test_an_absolute_https_url_of_a_public_host_may_be_an_endpoint(url: str) -> None:
    ensure_valid_url(url, loopback_allowed=False)


@pytest.mark.parametrize(
    "url",
    [
        "", "crm.example.com", "http://crm.example.com/", "ftp://crm.example.com/", "file:///etc/passwd",
        "https:///path", "https://", "https://crm/", "https://localhost/", "https://app.localhost/",
        "https://db.internal/", "https://printer.local/", "https://user:pass@crm.example.com/",
        "https://@crm.example.com/", "https://crm.example.com/#here", "https://crm.example.com:0/",
        "https://crm.example.com:99999/", "https://crm.example.com:port/", "https://exämple.com/",
        "https://crm.example.com/a b", "https://crm.example.com/\x00", "https://crm.example.com/" + "x" * 2_000,
        "https://127.0.0.1/", "https://2130706433/", "https://0x7f000001/", "https://0177.0.0.1/", "https://127.1/",
        "https://1.1.1.1.5/", "https://169.254.169.254/", "https://[::1]/", "https://[::ffff:127.0.0.1]/",
        "https://[fe80::1%25eth0]/", "https://[oops]/", "https://[::1/", "https://127.0.0.1./",
    ],
)  # fmt: skip
def test_anything_else_may_not(url: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        ensure_valid_url(url, loopback_allowed=False)
    assert refused.value.field == "url"


def test_this_machine_may_be_one_in_development_without_tls_too_but_no_other_private_host() -> None:
    for url in ("http://127.0.0.1:8080/", "http://localhost:8080/", "http://[::1]:8080/", "https://127.0.0.1/"):
        ensure_valid_url(url, loopback_allowed=True)
    for url in ("http://10.0.0.1/", "https://10.0.0.1/", "http://crm.example.com/", "http://169.254.169.254/"):
        with pytest.raises(InvalidValue):
            ensure_valid_url(url, loopback_allowed=True)


@given(st.text(max_size=60) | st.text(max_size=60).map(lambda text: f"https://{text}"))
def test_no_text_at_all_is_more_than_refused(url: str) -> None:
    try:
        ensure_valid_url(url, loopback_allowed=False)
    except InvalidValue:
        return
    assert url.startswith("https://")


def test_topics_are_those_that_there_are_one_by_one_or_by_kind() -> None:
    known = frozenset({"appointment.booked.v1", "series.begun.v1"})
    ensure_valid_topics(("appointment.booked.v1", "series.*"), known)

    for wrong in (("appointment.vanished.v1",), ("*",), ("nothing.*",), ("series.*", "series.*")):
        with pytest.raises(InvalidValue):
            ensure_valid_topics(wrong, known)


def test_of_webhooks_nobody_hears() -> None:
    assert wants((), "appointment.booked.v1")
    assert wants(("appointment.*",), "appointment.booked.v1")
    assert not wants(("series.*",), "appointment.booked.v1")
    for topics in ((), ("webhook.*",), ("webhook.added.v1",)):
        assert not wants(topics, "webhook.added.v1")
        assert not wants(topics, "webhook_list.listed.v1")
