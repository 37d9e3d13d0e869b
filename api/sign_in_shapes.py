"""The shapes of answers about sign-in, for the OpenAPI document and its readers."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel

from api.shapes import VersionedShape
from domain.access import SignInMethod
from domain.account import Role


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


class ApiKeyShape(VersionedShape):
    """``used_at``: when it was last exchanged for a token. ``account_id``: as whom it acts. Its id is the client_id."""

    name: str | None
    account_id: UUID
    role: Role
    scopes: list[str]
    expires_at: datetime
    revoked: bool
    used_at: datetime | None


class IssuedApiKeyShape(ApiKeyShape):
    """``client_secret`` is told once; null where the same command was answered before."""

    client_id: UUID
    client_secret: str | None
