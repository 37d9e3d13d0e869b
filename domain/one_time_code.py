"""That someone was to be sent a one-time code. The code itself is a secret: it is beside the journal, sealed."""

from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never
from uuid import UUID

from domain.fact import Fact, fact


class Purpose(StrEnum):
    """What a code is good for, and for nothing else."""

    VERIFY_EMAIL = "verify_email"
    """To show that an account's e-mail address is its owner's; the key is the account."""
    RESET_PASSWORD = "reset_password"  # noqa: S105  what it is for
    VISIT = "visit"
    """To show that the contact of a visit that was booked without an account is its visitor's; the key is the visit."""


@fact("one_time_code.requested.v1")
class CodeRequested(Fact):
    """A code is under way to the person ``recipient_id``, by ``channel`` (email, sms).

    ``key`` is what the code is about, such as an account: code and purpose are good for that alone. The fact is on a
    stream of its own, whose id is ``code_id``, so that nothing grows that strangers can ask for.
    """

    code_id: UUID
    purpose: Purpose
    key: UUID
    recipient_id: UUID
    channel: str


CodeFact = CodeRequested


@dataclass(frozen=True, slots=True, kw_only=True)
class OneTimeCode:
    id: UUID
    purpose: Purpose
    key: UUID


def evolve(state: OneTimeCode | None, happened: CodeFact) -> OneTimeCode:  # noqa: ARG001  the shape of every evolve
    match happened:
        case CodeRequested():
            return OneTimeCode(id=happened.code_id, purpose=happened.purpose, key=happened.key)
        case _:
            assert_never(happened)
