"""The shapes of answers about accounts and about signing in."""

from typing import Literal
from uuid import UUID

from pydantic import BaseModel

from api.shapes import VersionedShape
from domain.account import AccountStatus, Role


class AccountShape(VersionedShape):
    """``resource_ids``: those that a member of staff is assigned to; empty: all of the house."""

    role: Role
    status: AccountStatus
    email_verified: bool
    second_factor: bool
    display_name: str | None
    email: str | None
    resource_ids: list[UUID]


class AcceptedShape(BaseModel):
    """Whether anything was sent is not said."""

    accepted: Literal[True]


class VerifiedShape(BaseModel):
    email_verified: Literal[True]


class PasswordChangedShape(BaseModel):
    password_changed: Literal[True]


class SecondFactorBegunShape(BaseModel):
    """``secret`` (base32) and ``otpauth_uri``, which holds it, are shown this once."""

    secret: str
    otpauth_uri: str


class SecondFactorShape(BaseModel):
    """``recovery_codes`` are shown this once; each is good for one sign-in. Left out where there are no new ones."""

    second_factor: bool
    recovery_codes: list[str] | None = None


class RegisteredShape(BaseModel):
    account_id: UUID
    subject_id: UUID


class TokenShape(BaseModel):
    """``expires_in``: seconds that the access token lasts. ``scope``: what a program's token is for.

    A program is given no refresh token, since it can show its key again.
    """

    access_token: str
    refresh_token: str | None = None
    token_type: Literal["Bearer"]
    expires_in: int
    scope: str | None = None
