"""What is sent and answered about identity providers, for the OpenAPI document and its readers."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints

from api.shapes import VersionedShape
from api.values import Body, GivenPassword, LinkToken
from domain.identity_provider import SignUp

VERIFIER = r"^[A-Za-z0-9._~-]{43,128}$"
CHALLENGE = r"^[A-Za-z0-9_-]{43}$"
"""RFC 7636: a verifier, and what S256 makes of it."""

Issuer = Annotated[str, StringConstraints(min_length=1, max_length=2_000)]
Visible = Annotated[str, StringConstraints(min_length=1, max_length=1_000, pattern=r"^[\x20-\x7e]+$")]
Verifier = Annotated[str, StringConstraints(pattern=VERIFIER)]


class NewIdentityProvider(Body):
    """``issuer`` exactly as the provider's discovery document has it."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "issuer": "https://login.example.com",
                "client_id": "daybook",
                "client_secret": "as the provider has it",
                "sign_up": "existing_accounts",
            }
        }
    )

    issuer: Issuer
    client_id: Visible
    client_secret: Visible
    sign_up: SignUp


class Linking(Body):
    """``code_verifier``: what the ``code_challenge`` at the start was made of. ``password``: the account's."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "ticket": "Ow8pNoz8T2qmn1fJ0kq1vGkCq2c5Wm6m0oYq1d3mB1Y",
                "code_verifier": "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
                "password": "a long sentence is a good password",
            }
        }
    )

    ticket: LinkToken
    code_verifier: Verifier
    password: GivenPassword


class IdentityProviderShape(VersionedShape):
    """``redirect_uri``: to be registered with the provider. The client secret is not shown."""

    issuer: str
    client_id: str
    sign_up: SignUp
    redirect_uri: str


class LinkedShape(BaseModel):
    linked: Literal[True]
