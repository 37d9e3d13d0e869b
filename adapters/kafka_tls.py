"""How brokers are reached under TLS, in the words of our client and in Python's own."""

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class KafkaTls:
    """``ca_file``: who vouches for the brokers, whose names are checked; None: whom the system trusts.

    ``certificate_file`` and ``key_file`` show the brokers who we are, where they ask.
    """

    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None

    def context(self) -> ssl.SSLContext:
        """Python's own. Raises ``OSError``."""
        context = ssl.create_default_context(cafile=str(self.ca_file) if self.ca_file else None)
        if self.certificate_file:
            context.load_cert_chain(self.certificate_file, self.key_file)
        return context

    def for_librdkafka(self) -> dict[str, Any]:
        files = {
            "ssl.ca.location": self.ca_file,
            "ssl.certificate.location": self.certificate_file,
            "ssl.key.location": self.key_file,
        }
        named = {name: str(path) for name, path in files.items() if path}
        return {"security.protocol": "ssl", "ssl.endpoint.identification.algorithm": "https", **named}
