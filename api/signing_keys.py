"""The public keys of access tokens, for whoever has to check one without asking us."""

from collections.abc import Mapping, Sequence
from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from api.operation import Operation
from api.ports import ports_of
from api.reading import shown
from api.sign_in_shapes import KeySetShape

KEPT_FOR_S = 300
"""How long anyone may go by an earlier answer. A key that is to sign verifies for longer than that before it does."""

router = APIRouter(tags=["sign-in"], route_class=Operation)


async def _keys(request: Request) -> Sequence[Mapping[str, str]]:
    return ports_of(request).door.access_tokens.verifying_keys()


Keys = Annotated[Sequence[Mapping[str, str]], Depends(_keys)]


@router.get("/.well-known/jwks.json", operation_id="getSigningKeys", response_model=KeySetShape)
async def get_signing_keys(keys: Keys) -> Response:
    """A JWK set (RFC 7517): the key that signs, and those that only verify."""
    answer = shown({"keys": keys})
    answer.headers["Cache-Control"] = f"public, max-age={KEPT_FOR_S}"
    return answer
