"""What every answer tells a browser not to do with it."""

import base64
import hashlib
import re
from collections.abc import Iterable
from typing import Final

Header = tuple[bytes, bytes]

SAFE_HEADERS: Final[tuple[Header, ...]] = (
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
    (b"strict-transport-security", b"max-age=63072000; includeSubDomains"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
)
PAGES: Final = "/docs"
"""What begins so is for people to look at, and runs scripts: ours, and those that stand in the page itself."""

_POLICY: Final = (
    "default-src 'none'; base-uri 'none'; connect-src 'self'; form-action 'none'; frame-ancestors 'none'; "
    "img-src 'self' data:; style-src 'self' 'unsafe-inline'; script-src {scripts}"
)
_INLINE: Final = re.compile(rb"<script(?![^>]*\bsrc\b)[^>]*>(.*?)</script>", re.DOTALL | re.IGNORECASE)


def with_policy_of(page: bytes, headers: Iterable[Header]) -> list[Header]:
    """The headers, with a policy that lets the scripts of this very page run, by their digests, and no others."""
    digests = [base64.b64encode(hashlib.sha256(script).digest()).decode() for script in _INLINE.findall(page)]
    scripts = " ".join(["'self'", *[f"'sha256-{digest}'" for digest in digests]])
    kept = [header for header in headers if header[0] != b"content-security-policy"]
    return [*kept, (b"content-security-policy", _POLICY.format(scripts=scripts).encode())]
