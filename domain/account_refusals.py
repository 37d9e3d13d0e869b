"""Reasons to say no to what concerns accounts and signing in."""

from dataclasses import dataclass
from uuid import UUID

from domain.refusals import Refusal


@dataclass(eq=False, slots=True)
class NotOneself(Refusal):
    """Nobody disables their own account: whoever did it in haste could not undo it."""

    operation: str


@dataclass(eq=False, slots=True)
class LastOwner(Refusal):
    """The organization would be left without anyone who owns it."""


@dataclass(eq=False, slots=True)
class AlreadySo(Refusal):
    """The object is in that state, such as disabled, already."""

    id: UUID
    state: str


@dataclass(eq=False, slots=True)
class WrongPassword(Refusal):
    """Not the account's present password."""


@dataclass(eq=False, slots=True)
class CodeRefused(Refusal):
    """The code or link is wrong, was used or replaced, is over, or was guessed at too often; which is not said."""


@dataclass(eq=False, slots=True)
class IdentityTaken(Refusal):
    """The identity is linked with another account."""


@dataclass(eq=False, slots=True)
class IdentityUnlinked(Refusal):
    """The provider knows who it is, and no account is linked with that."""
