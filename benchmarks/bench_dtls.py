"""DTLS: handshake, records and certificates beside pyOpenSSL, used the way aiortc uses it (memory BIOs)."""

from collections.abc import Callable
from typing import Any

import pytest
from aiortc import RTCCertificate
from aiortc.rtcdtlstransport import SRTP_PROFILES
from OpenSSL import SSL

from rtcore.native.dtls import Certificate, Connection

RECORD = bytes(1160)
PROFILES = (7, 8, 1)


class Rtcore:
    def __init__(self) -> None:
        self.certificates = Certificate.generate(), Certificate.generate()
        self.fingerprints = [c.fingerprint_bytes() for c in self.certificates]

    def handshake(self) -> tuple[Connection, Connection]:
        client = Connection(self.certificates[0], "client", srtp_profiles=PROFILES)
        server = Connection(self.certificates[1], "server", srtp_profiles=PROFILES)
        client.add_fingerprint("sha-256", self.fingerprints[1], 0)
        server.add_fingerprint("sha-256", self.fingerprints[0], 0)
        client.start(0)
        while server.state != "connected" or client.state != "connected":
            for datagram in client.transmit(0):
                server.receive(datagram, 0)
            for datagram in server.transmit(0):
                client.receive(datagram, 0)
        return client, server

    def writer(self) -> Callable[[], bytes]:
        client, _ = self.handshake()
        return lambda: client.write(RECORD)

    def both(self) -> Callable[[], bytes]:
        client, server = self.handshake()
        return lambda: server.receive(client.write(RECORD), 0)[0]

    def certificate(self) -> Any:
        return Certificate.generate()


class PyOpenSSL:
    """One context per connection, as aiortc makes it."""

    def __init__(self) -> None:
        self.certificates = RTCCertificate.generateCertificate(), RTCCertificate.generateCertificate()

    def connection(self, certificate: RTCCertificate) -> SSL.Connection:
        context = certificate._create_ssl_context(srtp_profiles=SRTP_PROFILES)
        connection = SSL.Connection(context)
        connection.set_ciphertext_mtu(1200)
        return connection

    @staticmethod
    def drain(connection: SSL.Connection) -> bytes:
        try:
            return connection.bio_read(65536)
        except SSL.WantReadError:
            return b""

    @staticmethod
    def advance(connection: SSL.Connection) -> bool:
        try:
            connection.do_handshake()
            return True
        except SSL.WantReadError:
            return False

    def handshake(self) -> tuple[SSL.Connection, SSL.Connection]:
        client, server = map(self.connection, self.certificates)
        client.set_connect_state()
        server.set_accept_state()
        done = [False, False]
        ends = client, server
        while not all(done):
            for i in range(2):
                done[i] = self.advance(ends[i])
                if data := self.drain(ends[i]):
                    ends[1 - i].bio_write(data)
        return client, server

    def writer(self) -> Callable[[], bytes]:
        client, _ = self.handshake()

        def write() -> bytes:
            client.send(RECORD)
            return client.bio_read(1500)

        return write

    def both(self) -> Callable[[], bytes]:
        client, server = self.handshake()

        def write_and_read() -> bytes:
            client.send(RECORD)
            server.bio_write(client.bio_read(1500))
            return server.recv(1500)

        return write_and_read

    def certificate(self) -> Any:
        return RTCCertificate.generateCertificate()


STACKS = [Rtcore, PyOpenSSL]


@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.benchmark(group="dtls handshake, both ends")
def test_handshake(benchmark: Any, stack: type[Rtcore | PyOpenSSL]) -> None:
    benchmark(stack().handshake)


@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.benchmark(group="dtls record of 1160 bytes, write")
def test_write(benchmark: Any, stack: type[Rtcore | PyOpenSSL]) -> None:
    assert len(benchmark(stack().writer())) == len(RECORD) + 37


@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.benchmark(group="dtls record of 1160 bytes, write and read")
def test_write_and_read(benchmark: Any, stack: type[Rtcore | PyOpenSSL]) -> None:
    assert benchmark(stack().both()) == RECORD


@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.benchmark(group="dtls certificate")
def test_certificate(benchmark: Any, stack: type[Rtcore | PyOpenSSL]) -> None:
    benchmark(stack().certificate)
