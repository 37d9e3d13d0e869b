"""The settings of a stack that runs on embedded servers: secrets made once, kept beside the data they protect."""

import base64
import json
import os
import secrets
from pathlib import Path

from infra.embedded import EmbeddedServers

DATABASE = "daybook"
KEYS_FILE = "keys.json"
EVENTS_KEY_FILE = "sendgrid-stand-in.pem"


def default_data_dir() -> Path:
    """Under the user's data; for root under the system's, where PostgreSQL's own user can reach it."""
    if os.geteuid() == 0:
        return Path("/var/lib/daybook")
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "daybook"


def keys_of(data_dir: Path) -> dict[str, str]:
    """The secrets of this data directory. Made the first time; without them the vault cannot be read."""
    path = data_dir / KEYS_FILE
    found: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    made = {
        "DAYBOOK_VAULT_KEY": base64.b64encode(secrets.token_bytes(32)).decode(),
        "DAYBOOK_SIGNING_KEY": base64.b64encode(secrets.token_bytes(32)).decode(),
        "DAYBOOK_CHECKPOINT_KEY": base64.b64encode(secrets.token_bytes(32)).decode(),
        "DAYBOOK_DIGEST_SECRET": secrets.token_urlsafe(32),
    }
    if made.keys() - found.keys():  # the first time, or since there is one more
        found = {**made, **found}
        part = path.with_suffix(".part")
        part.touch(mode=0o600)
        part.write_text(json.dumps(found, indent=2) + "\n")
        part.replace(path)  # all of them or none: half a file would lock the data away
    return found


def environment(servers: EmbeddedServers, *, port: int, environment: str = "development") -> dict[str, str]:
    """The environment of every process of the stack. ``prepare`` of the servers comes first."""
    return {
        **keys_of(servers.data_dir),
        "DAYBOOK_ENVIRONMENT": environment,
        "DAYBOOK_DATABASE_URL": servers.database_url(DATABASE),
        "DAYBOOK_REDIS_URL": servers.redis_url,
        "DAYBOOK_KAFKA_BOOTSTRAP": servers.kafka_bootstrap,
        "DAYBOOK_API_PORT": str(port),
        "DAYBOOK_PUBLIC_URL": f"http://127.0.0.1:{port}",
        "DAYBOOK_WEBHOOK_LOOPBACK": "true",
        "DAYBOOK_LOG_FORMAT": "console",
        "PYTHONUNBUFFERED": "1",
    }


def stand_in_providers(data_dir: Path, port: int) -> dict[str, str]:
    """Point each provider at our local stand-in, except those whose credentials the environment has."""
    url = f"http://127.0.0.1:{port}"
    settings: dict[str, str] = {}
    if "DAYBOOK_TWILIO_ACCOUNT_SID" not in os.environ:
        settings |= {
            "DAYBOOK_TWILIO_ACCOUNT_SID": "AC" + "0" * 32,
            "DAYBOOK_TWILIO_AUTH_TOKEN": "stand-in",
            "DAYBOOK_TWILIO_FROM": "+15005550006",
            "DAYBOOK_TWILIO_BASE_URL": url,
        }
    if "DAYBOOK_SENDGRID_API_KEY" not in os.environ:
        settings |= {
            "DAYBOOK_SENDGRID_API_KEY": "SG.stand-in",
            "DAYBOOK_SENDGRID_FROM": "Daybook <appointments@daybook.example>",
            "DAYBOOK_SENDGRID_BASE_URL": url,
            "DAYBOOK_SENDGRID_WEBHOOK_KEY": _events_key(data_dir),
        }
    if "DAYBOOK_FIREBASE_CREDENTIALS" not in os.environ:
        settings |= {
            "DAYBOOK_FIREBASE_CREDENTIALS": str(_service_account(data_dir, url)),
            "DAYBOOK_FIREBASE_BASE_URL": url,
        }
    return settings


def stand_in_options(data_dir: Path, *, port: int, api_url: str) -> tuple[str, ...]:
    """How the stand-in is started that ``stand_in_providers`` points at; it reports to the API as providers do."""
    key = ("--events-key", str(data_dir / EVENTS_KEY_FILE)) if (data_dir / EVENTS_KEY_FILE).exists() else ()
    return ("--port", str(port), "--events-url", f"{api_url}/v1/callbacks/sendgrid", *key)


def _events_key(data_dir: Path) -> str:
    """The public half of a new key by which the stand-in signs its events, as SendGrid shows it."""
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

    key = ec.generate_private_key(ec.SECP256R1())
    path = data_dir / EVENTS_KEY_FILE
    path.touch(mode=0o600)
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return base64.b64encode(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


def _service_account(data_dir: Path, url: str) -> Path:
    """A service account as Firebase would issue one, for a project that nobody has."""
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    account = {
        "type": "service_account",
        "project_id": "daybook-stand-in",
        "private_key_id": "stand-in",
        "private_key": key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
        "client_email": "stand-in@daybook-stand-in.iam.gserviceaccount.com",
        "client_id": "0",
        "token_uri": f"{url}/token",
    }
    path = data_dir / "firebase-stand-in.json"
    path.touch(mode=0o600)
    path.write_text(json.dumps(account, indent=2) + "\n")
    return path
