"""The port of one-time codes: links and digits that show that a message was received. Used once, good for minutes.

Nobody but the notifier ever sees a code: it is made, kept sealed until it is used or over, and opened when its message
is sent. So whoever issues one records ``CodeRequested`` with the id, and that is all that the journal knows.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from application.decision import View
from domain.fact import Fact
from domain.one_time_code import CodeRequested, OneTimeCode, Purpose

LIFETIME_MAX = timedelta(minutes=10)
TRIES_MAX = 5
"""So many guesses at a code of digits are looked at; all others are refused unseen."""
AGAIN_AFTER = timedelta(minutes=1)
"""How long a code is under way before who asks again is sent another."""


class Form(StrEnum):
    LINK = "link"
    """256 random bits behind the key, to be followed."""
    DIGITS = "digits"
    """Eight of them, to be typed."""


@dataclass(frozen=True, slots=True)
class Enclosed:
    """What the notifier puts into the message. ``to``: the address that it is for, where the vault's may have changed
    since: what proves an address must not go to another.
    """

    code: str
    to: str | None = None


class OneTimeCodes(Protocol):
    """Asynchronous. There is one code for each purpose and key: a new one replaces the one before."""

    async def issue(
        self,
        purpose: Purpose,
        key: UUID,
        *,
        code_id: UUID,
        organization_id: UUID,
        form: Form,
        to: str | None = None,
        lifetime: timedelta = LIFETIME_MAX,
        again_after: timedelta = timedelta(),
    ) -> bool:
        """Whether the code ``code_id`` stands now; True also if it did before, so that a command may be repeated.

        False with ``again_after`` if another was issued less long ago, or was guessed at too often and is not over yet:
        it is under way, or someone is trying codes.
        """

    async def redeem(self, purpose: Purpose, key: UUID, code: str) -> bool:
        """Use a code of digits up. Every wrong one counts, also those that come at the same time."""

    async def holder(self, purpose: Purpose, token: str) -> UUID | None:
        """The key of a link that is good at this moment. It stays so."""

    async def redeem_link(self, purpose: Purpose, token: str) -> UUID | None:
        """Use a link up; its key. None if it is no such link, was used, replaced, or is over."""


class Enclosures(Protocol):
    """The notifier's side. Blocking."""

    def enclosed(self, code_ids: Iterable[UUID]) -> Mapping[UUID, Enclosed]:
        """Of those codes that are still good."""


def code_requested(
    view: View, code_id: UUID, purpose: Purpose, key: UUID, *, recipient_id: UUID, channel: str = "email"
) -> tuple[UUID, Fact]:
    """The fact that has the code sent, for the decision of whoever issued it."""
    view.ensure_new(OneTimeCode, code_id)
    fact = CodeRequested(code_id=code_id, purpose=purpose, key=key, recipient_id=recipient_id, channel=channel)
    return code_id, fact
