"""The shapes of answers about sign-in, for the OpenAPI document and its readers."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel

from domain.access import SignInMethod


class SessionShape(BaseModel):
    """``used_at``: when it was last refreshed. ``current``: it is the one that asks."""

    id: UUID
    method: SignInMethod
    begun_at: datetime
    used_at: datetime
    expires_at: datetime
    current: bool


class EndedShape(BaseModel):
    """The sessions that ended now."""

    ended: list[UUID]


class KeyShape(BaseModel):
    """A public key (RFC 7517, RFC 8037). ``kid``: its thumbprint (RFC 7638), which the tokens that it signed name."""

    kty: Literal["OKP"]
    crv: Literal["Ed25519"]
    x: str
    alg: Literal["EdDSA"]
    use: Literal["sig"]
    kid: str


class KeySetShape(BaseModel):
    keys: list[KeyShape]
