"""Which addresses are public, and which URLs may be endpoints of webhooks: those of the internet at large alone."""

from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import urlsplit

from domain.refusals import InvalidValue

Address = IPv4Address | IPv6Address

URL_CHARS_MAX = 2_000


def is_public(address: Address) -> bool:
    """Whether an address is one of the internet at large: no private, loopback, link-local or otherwise special one.

    One address that stands for another (IPv4 in IPv6, 6to4) is what the other is.
    """
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is not None:
            return is_public(inner)
        if address.teredo is not None or address.is_site_local:
            return False
    special = address.is_multicast or address.is_reserved or address.is_loopback or address.is_link_local
    return address.is_global and not special


def is_loopback(address: Address) -> bool:
    inner = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (inner or address).is_loopback


def ensure_valid_url(url: str, *, loopback_allowed: bool) -> None:
    """Raises ``InvalidValue`` for what can never be an endpoint. Names are looked up, and judged, at each delivery.

    ``loopback_allowed``: this very machine, in development; there without TLS, too.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise InvalidValue("url", "an absolute https URL") from None
    if len(url) > URL_CHARS_MAX or not url.isascii() or not url.isprintable() or " " in url:
        raise InvalidValue("url", f"at most {URL_CHARS_MAX} visible ASCII characters")
    if not host or port == 0:
        raise InvalidValue("url", "an absolute https URL")
    if "@" in parts.netloc or "#" in url:
        raise InvalidValue("url", "without credentials and fragment")
    local = loopback_allowed and (host == "localhost" or _is_address_that(host, is_loopback))
    if parts.scheme != "https" and not (local and parts.scheme == "http"):
        raise InvalidValue("url", "an absolute https URL")
    if not local and not _may_be_public(host):
        raise InvalidValue("url", "a public host")


def _may_be_public(host: str) -> bool:
    """Not for a name that certainly is none, nor for an address that is not, in whatever way it is written."""
    if _is_address_that(host, is_public):
        return True
    last = host.rstrip(".").rpartition(".")[2]
    # What ends in a number is an address (WHATWG URL, "ends in a number"): octal, decimal, short. One that is not
    # written in the one plain way is refused, since each resolver reads it in a way of its own.
    numeric = last.isdigit() or last.startswith("0x")
    return "." in host and not numeric and ":" not in host and last not in {"localhost", "local", "internal", "test"}


def _is_address_that(host: str, holds: Callable[[Address], bool]) -> bool:
    try:
        return holds(ip_address(host))
    except ValueError:
        return False
