"""What the settings themselves make unsafe, before any server is asked."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from infra.doctor.finding import Finding, advice, stays_here, unsafe
from infra.secret_settings import SECRETS, readable_by_others
from infra.settings import Settings, variable

NEEDED = ("redis_url", "kafka_bootstrap", "vault_key", "signing_key", "digest_secret")
PROVIDERS = {
    "sendgrid_api_key": "e-mail",
    "twilio_account_sid": "text messages",
    "firebase_credentials": "push messages",
}


def of_settings(settings: Settings, environ: Mapping[str, str] = os.environ) -> Iterator[Finding]:
    for check in (environment, complete, secrets, public_url, hosts, clock, providers):
        yield from check(settings)
    yield from files(settings, environ)


def environment(settings: Settings) -> Iterator[Finding]:
    if settings.environment != "production":
        yield unsafe(
            "settings.environment",
            f"this is {settings.environment}: stand-ins, replayed clocks and weak secrets are let pass",
            f"unset {variable('environment')}, or set it to production",
        )


def complete(settings: Settings) -> Iterator[Finding]:
    for name in NEEDED:
        if getattr(settings, name) is None:
            yield unsafe("settings.complete", f"{variable(name)} is missing", "set it, or the variable with _FILE")


def secrets(settings: Settings) -> Iterator[Finding]:
    for name, weakness in settings.weak_secrets().items():
        yield unsafe(
            "settings.secrets", f"{variable(name)} {weakness}", "draw 32 random bytes: openssl rand -base64 32"
        )
    if settings.vault_key and settings.signing_key and _same(settings):
        yield unsafe("settings.secrets", "the vault and the tokens have the same key", "give each one of its own")


def _same(settings: Settings) -> bool:
    assert settings.vault_key
    assert settings.signing_key
    return settings.vault_key.get_secret_value() == settings.signing_key.get_secret_value()


def files(settings: Settings, environ: Mapping[str, str]) -> Iterator[Finding]:
    named = {f"{variable(name)}_FILE": environ.get(f"{variable(name)}_FILE") for name in SECRETS}
    named[variable("firebase_credentials")] = str(settings.firebase_credentials or "")
    named[variable("kafka_key_file")] = str(settings.kafka_key_file or "")
    for setting, path in named.items():
        if path and not Path(path).is_file():
            yield unsafe("settings.files", f"{setting}: there is no file {path}", "name one, or unset it")
        elif path and readable_by_others(Path(path)):
            yield unsafe(
                "settings.files", f"{setting}: everybody on this machine can read {path}", f"chmod 0600 {path}"
            )


def public_url(settings: Settings) -> Iterator[Finding]:
    if not settings.public_url.startswith("https:"):
        yield unsafe(
            "settings.public_url",
            f"tokens and passwords travel in the clear: {settings.public_url}",
            f"end TLS in front of the API, and let {variable('public_url')} begin with https:",
        )


def hosts(settings: Settings) -> Iterator[Finding]:
    if settings.api_host in {"0.0.0.0", "::", "*"}:  # noqa: S104  it is looked for, not listened on
        yield advice(
            "settings.hosts",
            f"the API and the metrics listen on every address of this machine ({settings.api_host})",
            f"let only the proxy in front reach them, or set {variable('api_host')} to its network's address",
        )
    elif settings.metrics_port and not stays_here(settings.api_host):
        yield advice("settings.hosts", "metrics are shown beyond this machine", "let only the monitoring reach them")


def clock(settings: Settings) -> Iterator[Finding]:
    if settings.replay_clock is not None:
        yield unsafe(
            "settings.clock", "time is what a file says it is", f"unset {variable('replay_clock')}: it is for replays"
        )


def providers(settings: Settings) -> Iterator[Finding]:
    for name, what in PROVIDERS.items():
        if getattr(settings, name) is None:
            yield advice("settings.providers", f"nobody can be sent {what}", f"set {variable(name)} and its like")
    for name in ("sendgrid_base_url", "twilio_base_url", "firebase_base_url"):
        if getattr(settings, name) is not None:
            yield unsafe("settings.providers", f"messages go elsewhere: {variable(name)} is set", "unset it")
