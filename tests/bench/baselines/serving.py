"""What the programs that Daybook is compared with have in common: its server's settings, and its sign-in.

They check the same tokens with the same code, a signature once; what they are compared by is what they do then.
"""

from collections.abc import Callable
from typing import Annotated

import uvicorn
from fastapi import Depends, FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request

from adapters.tokens import SignedTokens
from api.verified_tokens import VerifiedTokens
from application.sign_in import Bearer, InvalidToken
from domain.permissions import Actor
from infra.processes.serve import uvicorn_config
from infra.settings import load_settings, needed

SETTINGS = load_settings()
_TOKENS = SignedTokens(
    needed(SETTINGS.signing_key, "signing_key").get_secret_value(), issuer=SETTINGS.public_url.rstrip("/")
)
_VERIFIED = VerifiedTokens(_TOKENS, lambda _: None)


async def _signed_in(request: Request) -> Actor:
    return _actor_by(_VERIFIED.bearer, request)


async def _signed_in_each_time(request: Request) -> Actor:
    return _actor_by(_TOKENS.verify, request)


def _actor_by(bearer: Callable[[str], Bearer], request: Request) -> Actor:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    try:
        return bearer(token if scheme == "Bearer" else "").actor
    except InvalidToken:
        raise HTTPException(401) from None


SignedIn = Annotated[Actor, Depends(_signed_in)]
SignedInEachTime = Annotated[Actor, Depends(_signed_in_each_time)]
"""As programs do who remember nothing: the signature is checked at every request."""


def serve(app: FastAPI) -> None:
    """Until it is asked to stop."""
    config = uvicorn_config(app)
    config.host, config.port, config.lifespan = SETTINGS.api_host, SETTINGS.api_port, "on"
    uvicorn.Server(config).run()
