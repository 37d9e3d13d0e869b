"""Whether Redis is open to strangers, and what it does when it is full."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import redis

from infra.doctor.finding import Finding, advice, host_of, looked, stays_here, unsafe
from infra.settings import Settings, variable

WITHIN_S = 3.0


def of_redis(settings: Settings) -> Iterator[Finding]:
    url = settings.redis_url
    if url is None:
        return
    yield from encryption(url)
    with redis.Redis.from_url(url, socket_timeout=WITHIN_S, socket_connect_timeout=WITHIN_S) as client:
        checks = (partial(answers, client), partial(authentication, url), partial(memory, client))
        yield from looked("redis", checks, (redis.RedisError, OSError))


def answers(client: redis.Redis) -> Iterator[Finding]:
    """Raises ``RedisError`` where it does not."""
    client.ping()
    yield from ()


def encryption(url: str) -> Iterator[Finding]:
    if not url.startswith("rediss:") and not stays_here(host_of(url)):
        yield unsafe("redis.tls", "everything travels in the clear", f"let {variable('redis_url')} begin with rediss:")


def authentication(url: str) -> Iterator[Finding]:
    """Whether it answers whoever names no password. Raises ``RedisError``."""
    client = redis.Redis.from_url(url, socket_timeout=WITHIN_S, socket_connect_timeout=WITHIN_S)
    for secret in ("username", "password"):
        client.connection_pool.connection_kwargs.pop(secret, None)
    try:
        client.ping()
    except redis.AuthenticationError:
        return
    finally:
        client.close()
    tell = advice if stays_here(host_of(url)) else unsafe
    yield tell(
        "redis.auth",
        "it answers whoever reaches it, without a password",
        f"set requirepass (or users), and name it in {variable('redis_url')}",
    )


def memory(client: redis.Redis) -> Iterator[Finding]:
    """Raises ``RedisError``."""
    try:
        said: Any = client.config_get("maxmemory*")
    except redis.ResponseError:
        yield advice("redis.memory", "it does not say what it does when it is full", "see that maxmemory is set")
        return
    if said.get("maxmemory") == "0":
        yield advice("redis.memory", "it takes memory without a bound", "set maxmemory")
    if said.get("maxmemory-policy") == "noeviction":
        yield advice(
            "redis.memory",
            "once it is full it takes nothing new",
            "set maxmemory-policy to allkeys-lru: whatever is lost is made again",
        )
