"""What a check has found: how bad it is, what is so, and what to do about it."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address
from urllib.parse import urlsplit


class Severity(StrEnum):
    """``ADVICE``: it runs safely without, and better with it."""

    UNSAFE = "unsafe"
    ADVICE = "advice"


@dataclass(frozen=True, slots=True)
class Finding:
    """``check``: where it was looked for, as ``part.name``."""

    severity: Severity
    check: str
    says: str
    do: str


Findings = Iterable[Finding]


def unsafe(check: str, says: str, do: str) -> Finding:
    return Finding(Severity.UNSAFE, check, says, do)


def advice(check: str, says: str, do: str) -> Finding:
    return Finding(Severity.ADVICE, check, says, do)


def looked(part: str, checks: Iterable[Callable[[], Findings]], lost: tuple[type[Exception], ...]) -> Iterator[Finding]:
    """All findings. A check that cannot be made is one: what nobody could look at is not known to be safe."""
    for check in checks:
        try:
            yield from check()
        except lost as error:
            said = (str(error).strip() or type(error).__name__).splitlines()[0]
            yield unsafe(f"{part}.reachable", f"could not be looked at: {said}", "let doctor reach it, and ask again")
            return


def stays_here(host: str | None) -> bool:
    """Whether what is sent to the host never leaves this machine: a Unix socket, or the loopback."""
    if not host or host.startswith("/") or host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def host_of(url: str) -> str:
    return urlsplit(url).hostname or ""
