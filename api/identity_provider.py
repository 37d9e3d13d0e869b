"""The identity provider that an organization brings: registered by its owner, one at a time."""

from fastapi import APIRouter
from starlette.responses import Response

from api.commanding import Changed, answered
from api.contract import command, query
from api.oidc_shapes import IdentityProviderShape, NewIdentityProvider
from api.operation import Operation
from api.reading import Asked, shown, state_of, version_of
from api.shapes import VersionedShape
from application.identity_providers import RegisterProvider, RemoveProvider, register_provider, remove_provider
from domain.identity_provider import IdentityProvider, identity_provider_id
from domain.permissions import ensure_may
from domain.refusals import NotFound

router = APIRouter(prefix="/v1/identity-provider", tags=["sign-in"], route_class=Operation)


@router.put(
    "",
    **command(IdentityProviderShape, "registerIdentityProvider", "identity_provider.change", key_required=False),
)
async def register(body: NewIdentityProvider, call: Changed) -> Response:
    """In place of the one before. Whoever was linked by another issuer is not known by this one."""
    oidc, organization_id = call.ports.oidc, call.actor.organization_id
    wanted = RegisterProvider(
        issuer=body.issuer,
        client_id=body.client_id,
        sign_up=body.sign_up,
        loopback_allowed=call.ports.partners.loopback_allowed,
    )
    answer = await call.submit(register_provider, wanted)
    # After the command, under its version: a retry keeps it again, and a late one is not in the way of a newer.
    await oidc.client_secrets.keep(organization_id, version_of(answer.body), body.client_secret)
    return answered(answer, besides={"redirect_uri": oidc.redirect_uri(organization_id)})


@router.get("", **query(IdentityProviderShape, "getIdentityProvider", "identity_provider.read", etag=True))
async def get_one(asked: Asked) -> Response:
    ensure_may(asked.actor, "identity_provider.read")
    organization_id = asked.actor.organization_id
    stream_id = identity_provider_id(organization_id)
    provider, version = await state_of(asked.ports, IdentityProvider, stream_id)
    if provider is None or provider.removed:
        raise NotFound("identity_provider", stream_id)
    told = {"issuer": provider.issuer, "client_id": provider.client_id, "sign_up": provider.sign_up}
    redirect_uri = asked.ports.oidc.redirect_uri(organization_id)
    return shown({"id": stream_id, **told, "redirect_uri": redirect_uri, "version": version}, version=version)


@router.delete("", **command(VersionedShape, "removeIdentityProvider", "identity_provider.change", key_required=False))
async def remove(call: Changed) -> Response:
    """Nobody signs in by it any more, and its secret is forgotten. Sessions that it began go on until ended."""
    answer = await call.submit(remove_provider, RemoveProvider())
    await call.ports.oidc.client_secrets.forget(call.actor.organization_id, version_of(answer.body))
    return answered(answer)
