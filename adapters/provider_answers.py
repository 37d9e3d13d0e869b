"""What a provider's HTTP answer to a send means: taken, certainly not taken, or unclear. And what it may report."""

import re
from collections.abc import Mapping
from datetime import timedelta
from uuid import UUID

from application.providers import Refused, Unclear

REPORTED_ID_CHARS_MAX = 200
_CODE = re.compile(r"[0-9][0-9.]{0,15}", re.ASCII)

CREDENTIALS_RETRY_AFTER = timedelta(minutes=1)
RETRY_AFTER_MAX = timedelta(hours=1)


class ProviderNotConfigured(ValueError):  # noqa: N818
    """A setting that this provider needs is missing or unusable; the message names it."""


def unsuccessful(status: int, reason: str, retry_after: timedelta | None = None) -> Refused | Unclear:
    """``status`` is that of an answer outside 200…299; ``reason`` must hold no personal data."""
    if status in {429, 503}:  # said before anything was taken
        return Refused(reason, retry_after=retry_after)
    if status in {401, 403}:  # the operator's mistake, not the message's: keep it until it is mended
        return Refused(reason, retry_after=CREDENTIALS_RETRY_AFTER)
    if 400 <= status < 500 and status != 408:
        return Refused(reason, lasting=True)
    return Unclear(reason)  # 408 and other 5xx: a gateway may have given up on a request that went through


def retry_after(headers: Mapping[str, str] | None) -> timedelta | None:
    """``Retry-After`` in seconds; its other form, a date, no provider of ours uses."""
    given = (headers or {}).get("Retry-After", "")
    return min(timedelta(seconds=int(given)), RETRY_AFTER_MAX) if given.isdigit() else None


def reported_reason(provider: str, code: object) -> str | None:
    """The provider's code alone: the words beside it quote addresses."""
    return f"{provider}_{code}" if isinstance(code, str) and _CODE.fullmatch(code) else None


def reported_id(text: object) -> UUID | None:
    """Of a message of ours, as a provider repeats it; None for what is no id."""
    try:
        return UUID(text) if isinstance(text, str) else None
    except ValueError:
        return None
