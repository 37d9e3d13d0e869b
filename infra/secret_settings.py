"""Secrets among the settings: how they may be written, from where they are read, and which of them are none.

Each secret is given by its variable, or by a file that ``…_FILE`` names, as Docker and Kubernetes mount them.
"""

import base64
import binascii
import os
import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

KEY_BYTES = 32
FILE_BYTES_MAX = 64 * 1024
DISTINCT_BYTES_MIN = 8
"""Of 32 random bytes some 30 differ; of 32 random hexadecimal digits, of which there are only 16, some 14."""

SECRETS = (
    "vault_key",
    "signing_key",
    "signing_keys_old",
    "checkpoint_key",
    "digest_secret",
    "database_url",
    "redis_url",
    "twilio_auth_token",
    "sendgrid_api_key",
)
"""The settings that are secrets, or have one within them."""

_WELL_KNOWN = re.compile(
    r"change[ _-]?me|replace[ _-]?me|password|passw0rd|example|insecure|default|of the tests|your[ _-]|123456|s3cr3t"
    r"|^secret|stand-in|placeholder",
    re.IGNORECASE,
)


def key_bytes(given: object) -> object:
    """The 32 bytes behind base64 text (standard or URL-safe)."""
    if not isinstance(given, str):
        return given
    try:
        raw = base64.b64decode(given.strip().replace("-", "+").replace("_", "/"), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("must be base64") from None
    if len(raw) != KEY_BYTES:
        raise ValueError(f"must be {KEY_BYTES} bytes in base64, not {len(raw)}")
    return raw


def signing_seed(given: object) -> object:
    """The seed of an Ed25519 key, given as PEM (PKCS 8) or as base64."""
    if not isinstance(given, str) or not given.lstrip().startswith("-----BEGIN"):
        return key_bytes(given)
    try:
        key = load_pem_private_key(given.encode(), password=None)
    except (TypeError, ValueError):
        raise ValueError("is no private key in PEM that could be read without a password") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError("must be an Ed25519 key")  # noqa: TRY004  pydantic tells ValueErrors only
    return key.private_bytes_raw()


def signing_seeds(given: object) -> object:
    """Those of several keys, separated by commas; neither PEM nor base64 has any."""
    if not isinstance(given, str):
        return given
    return tuple(signing_seed(one) for one in given.split(",") if one.strip())


def weakness_of(secret: bytes) -> str | None:
    """Why it is none, or None. What a machine drew at random passes; what a person wrote mostly does not."""
    if _WELL_KNOWN.search(secret.decode("latin-1")):
        return "is one that everybody knows"
    if len(set(secret)) < DISTINCT_BYTES_MIN:
        return "has too little in it that could not be guessed"
    if secret in (secret + secret)[1:-1]:
        return "repeats itself"
    return "counts up" if len({(later - earlier) % 256 for earlier, later in pairwise(secret)}) == 1 else None


class FileSource(PydanticBaseSettingsSource):
    """Reads ``…_FILE``. Raises ``ValueError`` for a file that cannot be read, or a secret that is given twice."""

    def __init__(self, settings_cls: type[BaseSettings], variable: Callable[[str], str]) -> None:
        super().__init__(settings_cls)
        self._variable = variable

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002
        return self._read(field_name), field_name, False

    def __call__(self) -> dict[str, Any]:
        return {name: text for name in SECRETS if (text := self._read(name)) is not None}

    def _read(self, name: str) -> str | None:
        variable = self._variable(name)
        path = os.environ.get(f"{variable}_FILE")
        if not path:
            return None
        if os.environ.get(variable):
            raise ValueError(f"{variable} and {variable}_FILE are both set: which one counts?")
        return text_of(Path(path), f"{variable}_FILE")


def text_of(path: Path, named: str) -> str:
    """What the file says, without the newline that editors put at the end. Raises ``ValueError``."""
    try:
        with path.open("rb") as file:
            text = file.read(FILE_BYTES_MAX + 1).decode().strip()
    except UnicodeDecodeError:
        raise ValueError(f"{named}: {path} is no text") from None
    except OSError as error:
        raise ValueError(f"{named}: {path} cannot be read: {error.strerror}") from None
    if not text or len(text) > FILE_BYTES_MAX:
        raise ValueError(f"{named}: {path} is {'too long' if text else 'empty'}")
    return text


def readable_by_others(path: Path) -> bool:
    """Whether anyone but its owner and its group may read or change the file."""
    return bool(path.stat().st_mode & 0o007)
