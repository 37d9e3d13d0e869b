"""Where a request comes from: the peer, or what a proxy of ours says of it.

Anyone can write an ``X-Forwarded-For``. Each proxy appends the peer that it saw; so, read from the right, the first
address that is none of our own proxies is the client, and what stands to the left of it is hearsay.
"""

import hashlib
import hmac
from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

from starlette.types import Scope

ADDRESSES_KEPT = 16_384
DIGEST_CHARS = 32
IPV6_PREFIX = 64
"""What one household has of IPv6: to count single addresses of it would count nothing."""
UNKNOWN = "unknown"


class ClientAddresses:
    """``proxies``: the networks of our own proxies. ``secret`` keys the digests, which are all that leaves this."""

    def __init__(self, proxies: Sequence[str], secret: bytes) -> None:
        self._proxies = tuple(ip_network(proxy) for proxy in proxies)
        self._secret = secret
        self._digest_of = lru_cache(ADDRESSES_KEPT)(self._worked_out)

    def digest(self, scope: Scope) -> str:
        """The client's address, as a keyed digest."""
        peer = scope["client"]
        forwarded = b""
        if self._proxies:
            forwarded = b",".join(value for name, value in scope["headers"] if name == b"x-forwarded-for")
        return self._digest_of(peer[0] if peer else "", forwarded)

    def _worked_out(self, peer: str, forwarded: bytes) -> str:
        address = self.address(peer, forwarded.decode("latin-1"))
        told = address.encode()
        return hmac.new(self._secret, b"address" + told, hashlib.sha256).hexdigest()[:DIGEST_CHARS]

    def address(self, peer: str, forwarded: str) -> str:
        """The client's address; of IPv6 its network."""
        found = _address(peer)
        for hop in reversed(forwarded.split(",") if forwarded else []):
            if not self._is_ours(found):
                break
            told = _address(hop.strip())
            if told is None:
                break  # what our proxy has seen is no address: it is the last that we know
            found = told
        if found is None:
            return UNKNOWN
        return str(IPv6Network((found, IPV6_PREFIX), strict=False)) if isinstance(found, IPv6Address) else str(found)

    def _is_ours(self, address: IPv4Address | IPv6Address | None) -> bool:
        return address is not None and any(address in network for network in self._proxies)


def _address(written: str) -> IPv4Address | IPv6Address | None:
    try:
        found = ip_address(written.strip("[]"))
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return mapped or found
