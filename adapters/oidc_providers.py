"""Identity providers over HTTPS, found by their issuer (OpenID Connect Discovery 1.0), at public addresses only.

Whoever registers an issuer names an address that we connect to: it is judged as those of webhooks are. Neither
redirects nor proxies; every answer has a size and a time.
"""

import asyncio
import ssl
import time
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

import httpcore
import msgspec
import structlog

from adapters.id_tokens import Jwk, UnknownKey, claimed_subject, identity_in
from adapters.public_network import PublicNetwork
from application.oidc import Exchange, Identity, OidcRefused, ProviderUnavailable
from domain.identity_provider import ensure_valid_issuer
from domain.refusals import InvalidValue

CALLS_MAX = 20
ANSWER_BYTES_MAX = 256 * 1024
ANSWER_WITHIN_S = 10.0
"""From the look-up of the name to the last byte."""
KEPT_FOR_S = 300.0
KEPT_MAX = 200
"""Providers whose documents are kept; one more, and all of them are fetched anew."""
WELL_KNOWN = "/.well-known/openid-configuration"
USER_AGENT = "Daybook/1"
_FORM = "application/x-www-form-urlencoded"
_REFUSED = frozenset({400, 401, 403})

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Known:
    """A provider as it described itself. ``keys`` are fetched when they are needed."""

    metadata: Mapping[str, Any]
    until: float
    keys: Sequence[Jwk] = ()


@dataclass(slots=True)
class OidcProviders:
    """The application's ``IdentityProviders``. ``loopback_allowed``: this machine too, for development."""

    network: PublicNetwork
    loopback_allowed: bool = False
    trusted: ssl.SSLContext | None = None
    answer_within_s: float = ANSWER_WITHIN_S
    monotonic: Callable[[], float] = time.monotonic
    _known: dict[str, _Known] = field(default_factory=dict)
    _connections: httpcore.AsyncConnectionPool = field(init=False)

    def __post_init__(self) -> None:
        self._connections = self.network.connections(CALLS_MAX, self.trusted)

    async def close(self) -> None:
        await self._connections.aclose()

    async def authorization_endpoint(self, issuer: str) -> str:
        return self._endpoint(await self._provider(issuer), "authorization_endpoint")

    async def identity(self, exchange: Exchange) -> Identity:
        known = await self._provider(exchange.issuer)
        if known.metadata.get("authorization_response_iss_parameter_supported") is True and not exchange.iss_told:
            raise OidcRefused("mix_up")
        answer = await self._redeemed(known, exchange)
        id_token, access_token = answer.get("id_token"), answer.get("access_token")
        if not isinstance(id_token, str):
            raise OidcRefused("no_id_token")
        beside = access_token if isinstance(access_token, str) else None
        # Once more with new keys: the provider may have changed them since. Not again for the same token.
        for anew in (not known.keys, True):
            if anew:
                known.keys = await self._keys(known)
            try:
                return identity_in(id_token, beside, exchange, known.keys)
            except UnknownKey:
                continue
        raise OidcRefused("unknown_key", subject=claimed_subject(id_token))

    async def _provider(self, issuer: str) -> _Known:
        known = self._known.get(issuer)
        if known is not None and self.monotonic() < known.until:
            return known
        metadata = await self._document("GET", issuer.rstrip("/") + WELL_KNOWN)
        if metadata.get("issuer") != issuer:
            raise self._unusable("another issuer", issuer)
        if len(self._known) >= KEPT_MAX:
            self._known.clear()
        self._known[issuer] = known = _Known(metadata, self.monotonic() + KEPT_FOR_S)
        return known

    async def _keys(self, known: _Known) -> Sequence[Jwk]:
        keys = (await self._document("GET", self._endpoint(known, "jwks_uri"))).get("keys")
        if not isinstance(keys, list):
            raise self._unusable("no keys", known.metadata["issuer"])
        return [key for key in keys if isinstance(key, dict)]

    async def _redeemed(self, known: _Known, exchange: Exchange) -> Mapping[str, Any]:
        """The code, for tokens. We show who we are with client_secret_basic (RFC 6749, 2.3.1)."""
        pair = f"{quote(exchange.client_id, safe='')}:{quote(exchange.client_secret, safe='')}"
        form = {
            "grant_type": "authorization_code",
            "code": exchange.code,
            "redirect_uri": exchange.redirect_uri,
            "code_verifier": exchange.verifier,
        }
        headers = {"Authorization": f"Basic {b64encode(pair.encode()).decode()}", "Content-Type": _FORM}
        url = self._endpoint(known, "token_endpoint")
        return await self._document("POST", url, headers, urlencode(form).encode())

    def _endpoint(self, known: _Known, name: str) -> str:
        url = known.metadata.get(name)
        try:
            if not isinstance(url, str):
                raise self._unusable(f"no {name}", known.metadata["issuer"])
            ensure_valid_issuer(url.partition("?")[0], loopback_allowed=self.loopback_allowed)
        except InvalidValue:
            raise self._unusable(f"{name} is not public", known.metadata["issuer"]) from None
        return url

    async def _document(
        self, method: str, url: str, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Mapping[str, Any]:
        sent = {"Accept": "application/json", "User-Agent": USER_AGENT, **(headers or {})}
        try:
            async with asyncio.timeout(self.answer_within_s):
                status, answer = await self._asked(method, url, sent, body)
        except (
            TimeoutError,
            httpcore.TimeoutException,
            httpcore.NetworkError,
            httpcore.ProtocolError,
            httpcore.UnsupportedProtocol,
        ) as away:
            raise self._unusable(repr(away), url) from away
        if method == "POST" and status in _REFUSED:
            raise OidcRefused("code")
        try:
            document = msgspec.json.decode(answer) if status == 200 else None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            document = None
        if not isinstance(document, dict):
            raise self._unusable(f"status {status}, or no document", url)
        return document

    async def _asked(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        asked = list(headers.items())
        parts, size = [], 0
        async with self._connections.stream(
            method,
            url,
            headers=[(name.encode(), value.encode()) for name, value in asked],
            content=body,
            extensions={"timeout": dict.fromkeys(("connect", "read", "write", "pool"), self.answer_within_s)},
        ) as response:
            async for part in response.aiter_stream():
                parts.append(part)
                size += len(part)
                if size > ANSWER_BYTES_MAX:
                    raise httpcore.RemoteProtocolError("the answer is too long")
        return int(response.status), b"".join(parts)

    def _unusable(self, why: str, where: str) -> ProviderUnavailable:
        _log.warning("identity_provider.unusable", why=why, where=where)
        return ProviderUnavailable(why)
