"""A delivery goes to an address that was judged, but TLS is spoken with the name: the certificate must be its own."""

import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from adapters.public_network import PublicNetwork
from application.parcels import Reached, Unreached
from tests.adapters.test_webhook_courier import delivered, parcel, says
from tests.receiver import Receiver, receiving

pytestmark = pytest.mark.security(34)

NAME = "crm.example"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of ``NAME``, signed by itself: certificate and key in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, NAME)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .sign(key, SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "receiver.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(made.public_bytes(Encoding.PEM) + private)
    return path


@pytest.fixture
def names() -> list[str | None]:
    """By which names the receiver was greeted (SNI)."""
    return []


@pytest.fixture
def receiver(certificate: Path, names: list[str | None]) -> Iterator[Receiver]:
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate)
    server.sni_callback = lambda _socket, name, _context: names.append(name)
    with receiving(server) as receiver:
        yield receiver


def network() -> PublicNetwork:
    return PublicNetwork(loopback_allowed=True, resolve=says(["127.0.0.1"])[0])


def test_the_name_is_kept_for_tls_and_for_the_host(
    receiver: Receiver, certificate: Path, names: list[str | None]
) -> None:
    trusted = ssl.create_default_context(cafile=str(certificate))
    url = f"https://{NAME}:{receiver.port}/hook"

    assert delivered(parcel(url), network(), trusted=trusted) == Reached(200)
    assert names == [NAME]
    assert receiver.got[0].headers["host"] == f"{NAME}:{receiver.port}"


def test_a_certificate_of_another_name_is_not_spoken_with(receiver: Receiver, certificate: Path) -> None:
    trusted = ssl.create_default_context(cafile=str(certificate))
    url = f"https://other.example:{receiver.port}/hook"

    assert delivered(parcel(url), network(), trusted=trusted) == Unreached("unreachable")
    assert receiver.got == []


def test_a_certificate_that_nobody_vouches_for_is_not_spoken_with(receiver: Receiver) -> None:
    assert delivered(parcel(f"https://{NAME}:{receiver.port}/hook"), network()) == Unreached("unreachable")
    assert receiver.got == []
