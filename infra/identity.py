"""How people come in by the identity providers of their organizations."""

from contextlib import AsyncExitStack
from typing import Any

from psycopg_pool import AsyncConnectionPool

from adapters.oidc_attempts import PostgresAttempts, PostgresClientSecrets
from adapters.oidc_providers import OidcProviders
from adapters.public_network import PublicNetwork
from adapters.vault import Seal
from application.oidc import Oidc
from infra.settings import Settings


def oidc_of(settings: Settings, people: AsyncConnectionPool[Any], seal: Seal, open_things: AsyncExitStack) -> Oidc:
    """``webhook_loopback``: a provider on this very machine too, to try it out."""
    loopback = settings.webhook_loopback
    providers = OidcProviders(PublicNetwork(loopback_allowed=loopback), loopback_allowed=loopback)
    open_things.push_async_callback(providers.close)
    public_url = settings.public_url.rstrip("/")
    return Oidc(
        attempts=PostgresAttempts(people, seal),
        providers=providers,
        client_secrets=PostgresClientSecrets(people, seal),
        public_url=public_url,
        origins=tuple(dict.fromkeys((public_url, *settings.allowed_origins))),
    )
