"""Which limits hold: those of the settings, else the table's; more outside production, where one machine is all."""

from contextlib import AsyncExitStack

from adapters.redis_limits import RedisLimits
from api.client_address import ClientAddresses
from api.limits import (
    ACCOUNT_PER_S,
    ADDRESS_PER_S,
    ORGANIZATION_PER_S,
    OUTSIDE_PRODUCTION,
    RateLimits,
    Rates,
)
from application.rate_limits import Windows
from application.sign_in_tries import Threshold
from infra.settings import Settings


def limits_of(
    settings: Settings, open_things: AsyncExitStack, redis_url: str, secret: bytes
) -> tuple[RateLimits, Threshold]:
    """How often one may ask, whose windows have to be run; and what stands in front of the sign-in."""
    shared = RedisLimits(redis_url)
    open_things.push_async_callback(shared.close)
    addresses = ClientAddresses(settings.trusted_proxies, secret)
    return RateLimits(Windows(shared), shared, addresses, rates_of(settings)), Threshold(shared, secret)


def rates_of(settings: Settings) -> Rates:
    usual = 1.0 if settings.environment == "production" else OUTSIDE_PRODUCTION
    factor = usual if settings.rate_factor is None else settings.rate_factor
    return Rates(
        address_per_s=settings.rate_address_per_s or ADDRESS_PER_S * factor,
        account_per_s=settings.rate_account_per_s or ACCOUNT_PER_S * factor,
        organization_per_s=settings.rate_organization_per_s or ORGANIZATION_PER_S * factor,
        factor=factor,
    )
