"""Every setting of every process, read once, here. Environment variables with the prefix ``DAYBOOK_``.

A process names what it cannot do without (``needed``); what is missing or wrong is told in one line that
names the variable, and the process ends with code 2 before it has touched anything.
"""

from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, SecretBytes, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from infra.secret_settings import FileSource, key_bytes, signing_seed, signing_seeds, weakness_of

PREFIX = "DAYBOOK_"

T = TypeVar("T")


class SettingsError(Exception):
    """One line that names the setting; the CLI prints it and exits with code 2."""


def _url(*schemes: str) -> BeforeValidator:
    def check(given: object) -> object:
        if isinstance(given, str) and urlsplit(given).scheme not in schemes:
            raise ValueError(f"must be a URL that begins with {' or '.join(f'{scheme}:' for scheme in schemes)}")
        return given

    return BeforeValidator(check)


def _bootstrap(given: object) -> object:
    for server in str(given).split(","):
        host, colon, port = server.strip().rpartition(":")
        if not (host and colon and port.isdigit() and 0 < int(port) <= 65_535):
            raise ValueError("must be host:port, several separated by commas")
    return given


def _listed(given: object) -> object:
    return tuple(part.strip() for part in given.split(",") if part.strip()) if isinstance(given, str) else given


def _origins(given: object) -> object:
    several = _listed(given)
    for origin in several if isinstance(several, tuple) else ():
        parts = urlsplit(origin)
        if parts.scheme not in {"http", "https"} or not parts.netloc or origin != f"{parts.scheme}://{parts.netloc}":
            raise ValueError("must be origins such as https://book.example, separated by commas")
    return several


def _networks(given: object) -> object:
    several = _listed(given)
    for network in several if isinstance(several, tuple) else ():
        try:
            ip_network(network)
        except ValueError:
            raise ValueError("must be networks such as 10.0.0.0/8, separated by commas") from None
    return several


HttpUrl = Annotated[str, _url("http", "https")]
Port = Annotated[int, Field(ge=1, le=65_535)]


class Settings(BaseSettings):
    """``vault_key`` and ``signing_key`` are held as 32 raw bytes, whichever way they were written."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid", env_ignore_empty=True)

    environment: Literal["development", "test", "production"] = "production"

    database_url: Annotated[str, _url("postgresql", "postgres")]
    redis_url: Annotated[str, _url("redis", "rediss", "unix")] | None = None
    kafka_bootstrap: Annotated[str, BeforeValidator(_bootstrap)] | None = None
    kafka_topic: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,200}$")] = "daybook.facts"
    kafka_partitions: Annotated[int, Field(ge=1, le=1_000)] = 4
    kafka_security_protocol: Literal["PLAINTEXT", "SSL"] = "PLAINTEXT"
    kafka_ca_file: Path | None = None
    """Who vouches for the brokers; without it, whom the system trusts."""
    kafka_certificate_file: Path | None = None
    kafka_key_file: Path | None = None
    """By which we show the brokers who we are, where they ask."""

    api_host: str = "127.0.0.1"
    api_port: Port = 8000
    public_url: HttpUrl = "http://127.0.0.1:8000"
    metrics_port: Port | None = None
    """Where a process other than ``serve`` shows its metrics; ``serve`` has ``/metrics``."""

    allowed_origins: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_origins)] = ()
    """Pages that browsers may ask from, separated by commas, such as https://book.example."""
    trusted_proxies: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_networks)] = ()
    """Networks of our own proxies (CIDR, separated by commas): only they are believed about whom they speak for."""

    rate_address_per_s: Annotated[float | None, Field(gt=0)] = None
    rate_account_per_s: Annotated[float | None, Field(gt=0)] = None
    rate_organization_per_s: Annotated[float | None, Field(gt=0)] = None
    rate_factor: Annotated[float | None, Field(gt=0)] = None
    """Of every limit that has no figure of its own. All four: see ``api.limits``, and ``infra.limiting`` for what holds
    where nothing is said.
    """

    cache_mb: Annotated[int, Field(ge=8, le=65_536)] = 192
    """What an API process may keep in memory to be fast, besides the 110 MB that it takes to begin with."""

    vault_key: Annotated[SecretBytes, BeforeValidator(key_bytes)] | None = None
    signing_key: Annotated[SecretBytes, BeforeValidator(signing_seed)] | None = None
    """Signs tokens, and verifies them."""
    signing_keys_old: Annotated[tuple[SecretBytes, ...], NoDecode, BeforeValidator(signing_seeds)] = ()
    """Only verify: the values that ``signing_key`` had before, separated by commas, until their tokens are over."""
    checkpoint_key: Annotated[SecretBytes, BeforeValidator(signing_seed)] | None = None
    """Signs checkpoints of the journal. For ``daybook checkpoint`` alone."""
    checkpoint_public_keys_old: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed)] = ()
    """Those of keys that signed before, as ``daybook checkpoint`` tells them, separated by commas."""
    checkpoint_every_s: Annotated[float, Field(gt=0, le=3_600)] = 5.0
    """How often one is signed at most."""
    digest_secret: Annotated[SecretStr, Field(min_length=16)] | None = None

    replay_clock: Path | None = None

    twilio_account_sid: str | None = None
    twilio_auth_token: SecretStr | None = None
    twilio_from: str | None = None
    twilio_base_url: HttpUrl | None = None
    sendgrid_api_key: SecretStr | None = None
    sendgrid_from: str | None = None
    sendgrid_base_url: HttpUrl | None = None
    sendgrid_webhook_key: str | None = None
    """The public key by which SendGrid's event webhook is verified; without it there is none."""
    firebase_credentials: Path | None = None
    firebase_base_url: HttpUrl | None = None
    provider_timeout_s: Annotated[float, Field(gt=0, le=120)] = 10.0

    webhook_loopback: bool = False
    """Whether webhooks may point at this very machine, without TLS: to try them out."""

    log_format: Literal["console", "json"] = "json"
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @model_validator(mode="after")
    def _production_is_real(self) -> "Settings":
        """Production runs on the real clock and the real providers, whatever the environment says."""
        if self.environment != "production":
            return self
        if self.replay_clock is not None:
            raise ValueError(f"{variable('replay_clock')} is refused in production: its clock is the real one")
        if self.webhook_loopback:
            raise ValueError(
                f"{variable('webhook_loopback')} is refused in production: webhooks go to public addresses"
            )
        for name in ("twilio_base_url", "sendgrid_base_url", "firebase_base_url"):
            url = getattr(self, name)
            if url is not None and not _could_be_a_provider(url):
                raise ValueError(f"{variable(name)} is refused in production: {url} is a stand-in, not a provider")
        for name, weakness in self.weak_secrets().items():
            raise ValueError(f"{variable(name)} is refused in production: it {weakness}")
        return self

    def weak_secrets(self) -> dict[str, str]:
        """By setting, why what it holds is no secret."""
        held = {
            "vault_key": (self.vault_key,),
            "signing_key": (self.signing_key,),
            "signing_keys_old": self.signing_keys_old,
            "checkpoint_key": (self.checkpoint_key,),
            "digest_secret": (self.digest_secret,),
        }
        weak: dict[str, str] = {}
        for name, secrets in held.items():
            for secret in secrets:
                value = secret.get_secret_value() if secret else None
                weakness = weakness_of(value if isinstance(value, bytes) else value.encode()) if value else None
                if weakness:
                    weak[name] = weakness
        return weak

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003  ours is the environment, and files that it names
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, FileSource(settings_cls, variable)


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return PREFIX + name.upper()


def needed(value: T | None, name: str) -> T:
    """``value``, which this process cannot do without. Raises ``SettingsError``."""
    if value is None:
        raise SettingsError(f"{variable(name)} is missing")
    return value


def load_settings(**given: Any) -> Settings:
    """Read the environment; ``given`` wins over it. Raises ``SettingsError``."""
    try:
        return Settings(**given)
    except ValidationError as wrong:
        # Not the library's message: it quotes the value, which may be a secret, and takes three lines.
        raise SettingsError("; ".join(_line(error) for error in wrong.errors())) from None
    except ValueError as wrong:  # of a file that holds a secret
        raise SettingsError(str(wrong)) from None


def _line(error: Any) -> str:
    message = str(error["msg"]).removeprefix("Value error, ")
    if not error["loc"]:
        return message
    name = variable(str(error["loc"][0]))
    return f"{name} is missing" if error["type"] == "missing" else f"{name}: {message}"


def _could_be_a_provider(url: str) -> bool:
    parts = urlsplit(url)
    host = parts.hostname or ""
    try:
        return parts.scheme == "https" and ip_address(host).is_global
    except ValueError:
        return parts.scheme == "https" and "." in host and not host.endswith((".localhost", ".local", ".internal"))
