"""An identity provider of the tests' own: a real HTTP server, strict in what it takes, that misbehaves when told to."""

import hashlib
import hmac
import json
import secrets
import threading
import time
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, quote, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

FORM = "application/x-www-form-urlencoded"


def base64url(given: bytes) -> str:
    return urlsafe_b64encode(given).rstrip(b"=").decode()


@dataclass(frozen=True)
class Key:
    kid: str
    algorithm: str
    private: Any

    @property
    def jwk(self) -> dict[str, Any]:
        kind = {"RS256": RSAAlgorithm, "ES256": ECAlgorithm, "EdDSA": OKPAlgorithm}[self.algorithm]
        public: dict[str, Any] = kind.to_jwk(self.private.public_key(), as_dict=True)  # type: ignore[attr-defined]
        return {**public, "kid": self.kid, "use": "sig", "alg": self.algorithm}

    @property
    def pem(self) -> bytes:
        pem: bytes = self.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        return pem


RSA = rsa.generate_private_key(65_537, 2_048)
STRANGER = rsa.generate_private_key(65_537, 2_048)


def key_of(algorithm: str, private: Any = None) -> Key:
    made = {"ES256": lambda: ec.generate_private_key(ec.SECP256R1()), "EdDSA": Ed25519PrivateKey.generate}
    return Key(secrets.token_hex(4), algorithm, private or made.get(algorithm, lambda: RSA)())


@dataclass
class Provider:
    """``claims`` replace those of the next ID tokens (None leaves one out); ``signs`` says how else they are signed."""

    issuer: str = ""
    client_id: str = "daybook of the tests"
    client_secret: str = "a secret: with signs & spaces"
    redirect_uri: str = ""
    key: Key = field(default_factory=lambda: key_of("RS256"))
    published: list[dict[str, Any]] | None = None
    claims: dict[str, Any] = field(default_factory=dict)
    signs: str = "truly"
    metadata: dict[str, Any] = field(default_factory=dict)
    tells_iss: bool = True
    asked: list[str] = field(default_factory=list)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)

    def behaves(self) -> None:
        self.claims, self.signs, self.metadata, self.tells_iss, self.published = {}, "truly", {}, True, None
        self.key = key_of("RS256")

    # What it answers.

    def discovery(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
            "authorization_response_iss_parameter_supported": True,
            **self.metadata,
        }

    def authorized(self, query: dict[str, str]) -> str | None:
        """Where the browser goes on to; None if it was asked wrongly."""
        wanted = {"response_type": "code", "client_id": self.client_id, "redirect_uri": self.redirect_uri}
        wanted["code_challenge_method"] = "S256"
        if any(query.get(name) != value for name, value in wanted.items()):
            return None
        if len(query.get("code_challenge", "")) != 43 or "openid" not in query.get("scope", "").split():
            return None
        if not query.get("state") or not query.get("nonce"):
            return None
        code = secrets.token_urlsafe(16)
        self.codes[code] = query
        iss = {"iss": self.issuer} if self.tells_iss else {}
        return f"{self.redirect_uri}?{urlencode({'code': code, 'state': query['state'], 'session_state': 'x', **iss})}"

    def redeemed(self, form: dict[str, str], authorization: str) -> dict[str, str] | None:
        """Tokens; None unless it is this client, with a code of its own that nobody used, and its verifier."""
        pair = f"{quote(self.client_id, safe='')}:{quote(self.client_secret, safe='')}"
        basic = b64decode(authorization.removeprefix("Basic ")).decode() if authorization.startswith("Basic ") else ""
        query = self.codes.pop(form.get("code", ""), None)
        if not hmac.compare_digest(basic, pair) or query is None or form.get("grant_type") != "authorization_code":
            return None
        challenge = base64url(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        if challenge != query["code_challenge"] or form.get("redirect_uri") != self.redirect_uri:
            return None
        access_token = secrets.token_urlsafe(16)
        return {"access_token": access_token, "token_type": "Bearer", "id_token": self._token(query, access_token)}

    def _token(self, query: dict[str, str], access_token: str) -> str:
        digest = {"EdDSA": hashlib.sha512}.get(self.key.algorithm, hashlib.sha256)(access_token.encode()).digest()
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "sub": "ana",
            "aud": self.client_id,
            "iat": now,
            "exp": now + 300,
            "nonce": query["nonce"],
            "at_hash": base64url(digest[: len(digest) // 2]),
            **self.claims,
        }
        claims = {name: value for name, value in claims.items() if value is not None}
        headers = {"kid": self.key.kid}
        match self.signs:
            case "none":
                return jwt.encode(claims, "", algorithm="none", headers=headers)
            case "HS256 with the public key":
                signed = ".".join(
                    base64url(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT", **headers}, claims)
                )
                return f"{signed}.{base64url(hmac.digest(self.key.pem, signed.encode(), 'sha256'))}"
            case "with another's key":
                return jwt.encode(claims, STRANGER, algorithm="RS256", headers=headers)
            case "with a key of no name":
                return jwt.encode(claims, STRANGER, algorithm="RS256", headers={"kid": "unheard of"})
            case "RS512":
                return jwt.encode(claims, self.key.private, algorithm="RS512", headers=headers)
            case _:
                return jwt.encode(claims, self.key.private, algorithm=self.key.algorithm, headers=headers)


class _Handler(BaseHTTPRequestHandler):
    provider: Provider

    def do_GET(self) -> None:
        path, query = urlsplit(self.path).path, dict(parse_qsl(urlsplit(self.path).query))
        self.provider.asked.append(path)
        match path:
            case "/.well-known/openid-configuration":
                self._says(200, self.provider.discovery())
            case "/jwks":
                known = self.provider.published
                self._says(200, {"keys": [self.provider.key.jwk] if known is None else known})
            case "/authorize":
                onward = self.provider.authorized(query)
                self._says(302 if onward else 400, {}, onward)
            case _:
                self._says(404, {})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode()
        self.provider.asked.append(self.path)
        form = {name: values[0] for name, values in parse_qs(body).items()}
        right = self.path == "/token" and self.headers.get("Content-Type") == FORM
        tokens = self.provider.redeemed(form, self.headers.get("Authorization", "")) if right else None
        self._says(200 if tokens else 400, tokens or {"error": "invalid_grant"})

    def _says(self, status: int, document: dict[str, Any], onward: str | None = None) -> None:
        answer = json.dumps(document).encode()
        self.send_response(status)
        if onward:
            self.send_header("Location", onward)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: Any) -> None: ...


@contextmanager
def providing() -> Iterator[Provider]:
    provider = Provider()
    handler = type("Handler", (_Handler,), {"provider": provider})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    provider.issuer = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def parameters(url: str) -> dict[str, str]:
    """Of a URL's query."""
    return dict(parse_qsl(urlsplit(url).query))
