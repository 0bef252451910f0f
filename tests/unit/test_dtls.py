"""rtcore.native.dtls alone, and against pyOpenSSL in both roles: RSA, cookies, other suites, exporters."""

import pickle
import time
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st
from OpenSSL import SSL

from rtcore.native.dtls import Certificate, Connection


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0


class OpenSSLPeer:
    """pyOpenSSL with the interface of `Connection`, as far as the tests need it."""

    def __init__(
        self,
        role: str,
        *,
        key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | None = None,
        profiles: bytes = b"SRTP_AEAD_AES_128_GCM:SRTP_AES128_CM_SHA1_80",
        ciphers: bytes | None = None,
        cookies: bool = False,
        mtu: int = 1200,
    ) -> None:
        key = key or ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "peer")])
        now = datetime.now(UTC)
        self.certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .sign(key, hashes.SHA256())
        )
        self.der = self.certificate.public_bytes(serialization.Encoding.DER)
        context = SSL.Context(SSL.DTLS_METHOD)
        context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, lambda *_: True)
        context.use_certificate(self.certificate)
        context.use_privatekey(key)
        context.set_options(SSL.OP_NO_QUERY_MTU)
        context.set_tlsext_use_srtp(profiles)
        if ciphers:
            context.set_cipher_list(ciphers)
        if cookies:
            context.set_cookie_generate_callback(lambda _: b"a cookie")
            context.set_cookie_verify_callback(lambda _, cookie: cookie == b"a cookie")
            context.set_options(SSL.OP_COOKIE_EXCHANGE)
        self.connection = SSL.Connection(context)
        self.connection.set_ciphertext_mtu(mtu)
        self.done = self.closed = False
        self.error = ""
        if role == "client":
            self.connection.set_connect_state()
        else:
            self.connection.set_accept_state()

    def fingerprint(self) -> bytes:
        return self.certificate.fingerprint(hashes.SHA256())

    def advance(self) -> None:
        if not self.done:
            try:
                self.connection.do_handshake()
                self.done = True
            except SSL.WantReadError:
                pass
            except SSL.Error as error:
                self.error = str(error)

    def receive(self, data: bytes, now: float) -> list[bytes]:
        self.connection.bio_write(data)
        self.advance()
        records: list[bytes] = []
        while self.done:
            try:
                records.append(self.connection.recv(20000))
            except SSL.WantReadError:
                break
            except SSL.ZeroReturnError:
                self.closed = True
                break
            except SSL.Error as error:
                self.error = str(error)
                break
        return records

    def transmit(self, now: float) -> list[bytes]:
        datagrams = []
        while True:
            try:
                datagrams.append(self.connection.bio_read(20000))
            except SSL.WantReadError:
                return datagrams

    def write(self, data: bytes) -> bytes:
        self.connection.send(data)
        return self.connection.bio_read(20000)


def exchange(
    a: Connection | OpenSSLPeer, b: Connection | OpenSSLPeer, now: float = 0
) -> list[tuple[Connection | OpenSSLPeer, bytes]]:
    """Moves datagrams until both sides are silent; returns all of them with their source."""
    moved = []
    while True:
        silent = True
        for source, sink in ((a, b), (b, a)):
            for datagram in source.transmit(now):
                silent = False
                moved.append((source, datagram))
                assert not sink.receive(datagram, now)
        if silent:
            return moved


def pair(role: str, *, srtp_profiles: tuple[int, ...] = (7, 1), **options) -> tuple[Connection, OpenSSLPeer]:
    """Our side in `role` and a pyOpenSSL peer in the other, after the exchange."""
    peer = OpenSSLPeer("server" if role == "client" else "client", **options)
    ours = Connection(Certificate.generate(), role, srtp_profiles=srtp_profiles)
    ours.add_fingerprint("sha-256", peer.fingerprint(), 0)
    ours.start(0)
    peer.advance()
    return ours, peer


def own_pair(**options) -> tuple[Connection, Connection]:
    client = Connection(Certificate.generate(), "client", **options)
    server = Connection(Certificate.generate(), "server", **options)
    client.add_fingerprint("sha-256", server.certificate.fingerprint(), 0)
    server.add_fingerprint("sha-512", client.certificate.fingerprint_bytes("sha-512"), 0)
    client.start(0)
    server.start(0)
    return client, server


@pytest.fixture
def connected() -> tuple[Connection, Connection]:
    client, server = own_pair()
    exchange(client, server)
    assert client.state == server.state == "connected"
    return client, server


# ---- certificates


def test_certificate_is_what_it_says() -> None:
    before = datetime.now(UTC)
    ours = Certificate.generate(valid=timedelta(days=10))
    theirs = x509.load_der_x509_certificate(ours.der)
    assert isinstance(theirs.public_key(), ec.EllipticCurvePublicKey)
    assert theirs.public_key().curve.name == "secp256r1"
    theirs.verify_directly_issued_by(theirs)
    assert theirs.not_valid_after_utc == ours.expires
    assert abs(ours.expires - before - timedelta(days=10)) < timedelta(seconds=5)
    assert theirs.not_valid_before_utc < before
    for name, algorithm in {
        "sha-256": hashes.SHA256(),
        "sha-384": hashes.SHA384(),
        "sha-512": hashes.SHA512(),
    }.items():
        assert ours.fingerprint_bytes(name) == theirs.fingerprint(algorithm)
        assert ours.fingerprint(name.upper()) == theirs.fingerprint(algorithm).hex(":").upper()
    assert ours.fingerprint() in repr(ours)


def test_certificates_differ_and_compare() -> None:
    a, b = Certificate.generate(), Certificate.generate()
    again = Certificate.from_pem(*a.pem())
    assert a == again
    assert hash(a) == hash(again)
    assert a != b
    assert a != "a"
    assert Certificate.from_pem(*(text.encode() for text in b.pem())) == b
    serialization.load_pem_private_key(a.pem()[1].encode(), None)


def test_certificate_refuses() -> None:
    a, b = Certificate.generate(), Certificate.generate()
    with pytest.raises(TypeError, match="generate"):
        Certificate()
    with pytest.raises(ValueError, match="does not belong"):
        Certificate.from_pem(a.pem()[0], b.pem()[1])
    with pytest.raises(ValueError, match="malformed"):
        Certificate.from_pem("", b.pem()[1])
    with pytest.raises(ValueError, match="sha-256, sha-384, sha-512"):
        a.fingerprint("sha-1")
    with pytest.raises(ValueError, match="valid"):
        Certificate.generate(valid=timedelta(0))
    with pytest.raises(ValueError, match="valid"):
        Certificate.generate(valid=timedelta(days=9000 * 365))
    with pytest.raises(TypeError, match="private key"):
        pickle.dumps(a)


# ---- against OpenSSL


@pytest.mark.parametrize("role", ["client", "server"])
@pytest.mark.parametrize("kind", ["ecdsa", "rsa"])
def test_with_openssl(role: str, kind: str) -> None:
    key = rsa.generate_private_key(65537, 2048) if kind == "rsa" else None
    ours, peer = pair(role, key=key)
    exchange(ours, peer)
    assert peer.done
    assert ours.state == "connected", ours.events()
    assert ours.events() == [("connecting", ""), ("connected", "")]
    assert ours.remote_certificate == peer.der
    assert ours.srtp_profile == 7
    assert ours.group == "X25519"
    suite = "RSA" if kind == "rsa" and role == "client" else "ECDSA"
    assert ours.cipher == f"TLS_ECDHE_{suite}_WITH_AES_128_GCM_SHA256" or role == "server"
    theirs = peer.connection.export_keying_material(b"EXTRACTOR-dtls_srtp", 60)
    assert ours.export_keying_material("EXTRACTOR-dtls_srtp", 60) == theirs
    assert peer.connection.get_selected_srtp_profile() == b"SRTP_AEAD_AES_128_GCM"
    remote = peer.connection.get_peer_certificate(as_cryptography=True)
    assert remote.fingerprint(hashes.SHA256()) == ours.certificate.fingerprint_bytes()
    for i in range(200):
        data = bytes([i]) * (i * 7 + 1)
        assert peer.receive(ours.write(data), 0) == [data]
        assert ours.receive(peer.write(data), 0) == [data]


@pytest.mark.parametrize("role", ["client", "server"])
def test_aes_256(role: str) -> None:
    ours, peer = pair(role, ciphers=b"ECDHE-ECDSA-AES256-GCM-SHA384")
    exchange(ours, peer)
    assert ours.cipher == "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"
    assert ours.export_keying_material("x", 33) == peer.connection.export_keying_material(b"x", 33)
    assert peer.receive(ours.write(b"hello"), 0) == [b"hello"]
    assert ours.receive(peer.write(b"hello"), 0) == [b"hello"]


def test_no_common_cipher() -> None:
    ours, peer = pair("server", ciphers=b"ECDHE-ECDSA-CHACHA20-POLY1305")
    exchange(ours, peer)
    assert ours.state == "failed"
    assert ours.events()[-1] == ("failed", "handshake: no shared cipher")
    assert "handshake failure" in peer.error


def test_hello_verify_request() -> None:
    ours, peer = pair("client", cookies=True)
    flights = exchange(ours, peer)
    assert any(data[0] == 22 and data[13] == 3 for _, data in flights)  # HelloVerifyRequest was there
    assert ours.state == "connected"
    assert peer.receive(ours.write(b"hello"), 0) == [b"hello"]


@pytest.mark.parametrize("role", ["client", "server"])
@pytest.mark.parametrize("mtu", [256, 300, 500, 1200])
def test_mtu(role: str, mtu: int) -> None:
    key = rsa.generate_private_key(65537, 2048)
    peer = OpenSSLPeer("server" if role == "client" else "client", key=key, mtu=mtu)
    ours = Connection(Certificate.generate(), role, mtu=mtu)
    ours.add_fingerprint("sha-256", peer.fingerprint(), 0)
    ours.start(0)
    peer.advance()
    sizes = [len(datagram) for source, datagram in exchange(ours, peer) if source is ours]
    assert ours.state == "connected"
    assert peer.done
    assert max(sizes) <= mtu


@pytest.mark.parametrize("role", ["client", "server"])
def test_wrong_fingerprint(role: str) -> None:
    peer = OpenSSLPeer("server" if role == "client" else "client")
    ours = Connection(Certificate.generate(), role)
    ours.add_fingerprint("sha-256", bytes(32), 0)
    ours.start(0)
    peer.advance()
    exchange(ours, peer)
    assert ours.state == "failed"
    assert ours.events()[-1] == ("failed", "the certificate's sha-256 fingerprint does not match")
    assert "bad certificate" in peer.error
    with pytest.raises(ConnectionError):
        ours.write(b"secret")


@pytest.mark.parametrize("role", ["client", "server"])
def test_late_fingerprint(role: str) -> None:
    peer = OpenSSLPeer("server" if role == "client" else "client")
    ours = Connection(Certificate.generate(), role)
    ours.start(0)
    peer.advance()
    exchange(ours, peer)
    assert peer.done
    assert ours.state == "connecting"
    assert ours.receive(peer.write(b"early"), 0) == []
    ours.add_fingerprint("sha-256", peer.fingerprint(), 0)
    assert ours.state == "connected"
    assert ours.receive(b"", 0) == [b"early"]
    assert ours.receive(b"", 0) == []


@pytest.mark.parametrize("role", ["client", "server"])
def test_close(role: str) -> None:
    ours, peer = pair(role)
    exchange(ours, peer)
    ours.close(0)
    ours.close(0)
    for datagram in ours.transmit(0):
        peer.receive(datagram, 0)
    assert peer.closed
    assert ours.state == "closed"

    ours, peer = pair(role)
    exchange(ours, peer)
    peer.connection.shutdown()
    exchange(ours, peer)
    assert ours.events()[-1] == ("closed", "closed by the peer")


def test_openssl_client_did_not_get_our_last_flight() -> None:
    """OpenSSL repeats its Finished under a new record number, and we answer with ours."""
    ours, peer = pair("server")
    for _ in range(2):
        for datagram in peer.transmit(0):
            ours.receive(datagram, 0)
        if ours.state != "connected":
            for datagram in ours.transmit(0):
                peer.receive(datagram, 0)
    assert ours.state == "connected"
    assert not peer.done
    assert ours.transmit(0)  # lost
    assert not peer.receive(ours.write(b"early"), 0)  # OpenSSL keeps it
    time.sleep((peer.connection.DTLSv1_get_timeout() or 0) + 0.02)
    assert peer.connection.DTLSv1_handle_timeout()
    for datagram in peer.transmit(0):
        assert not ours.receive(datagram, 0)
    assert [record for datagram in ours.transmit(0) for record in peer.receive(datagram, 0)] == [b"early"]
    assert peer.done
    assert peer.receive(ours.write(b"late"), 0) == [b"late"]


def test_openssl_server_lost_its_last_flight() -> None:
    """Ours comes again, under new record numbers: OpenSSL would take the old ones for a replay."""
    ours, peer = pair("client")
    now = 0.0
    for _ in range(2):
        for datagram in ours.transmit(now):
            peer.receive(datagram, now)
        if not peer.done:
            for datagram in peer.transmit(now):
                ours.receive(datagram, now)
    assert peer.done
    assert peer.transmit(now)  # lost
    assert ours.state == "connecting"
    deadline = ours.deadline
    assert deadline == pytest.approx(0.4)
    ours.expire(deadline)
    exchange(ours, peer, deadline)
    assert ours.state == "connected"
    assert ours.stats()["flights_retransmitted"] == 1


# ---- alone


def test_in_memory(connected: tuple[Connection, Connection]) -> None:
    client, server = connected
    assert client.role == "client"
    assert repr(server) == "<Connection server connected>"
    assert client.deadline is None
    assert server.srtp_profile is None
    for source, sink in ((client, server), (server, client)):
        record = source.write(memoryview(b"a record"))
        assert len(record) == len(b"a record") + 37
        assert sink.receive(bytearray(record), 0) == [b"a record"]
        assert sink.receive(record, 0) == []
        assert sink.stats()["replayed"] == 1
        datagram = source.write(b"1") + source.write(b"") + source.write(b"3")
        assert sink.receive(datagram, 0) == [b"1", b"", b"3"]


def test_every_byte_counts(connected: tuple[Connection, Connection]) -> None:
    client, server = connected
    record = client.write(b"tampered with")
    for i in range(len(record)):
        assert server.receive(record[:i] + bytes([record[i] ^ 0x80]) + record[i + 1 :], 0) == []
        assert server.receive(record[:i], 0) == []
    assert server.state == "connected"
    stats = server.stats()
    assert stats["malformed"] >= len(record) - 1
    assert stats["unauthenticated"] > 0
    assert server.receive(record, 0) == [b"tampered with"]


@settings(max_examples=50, deadline=None)
@given(texts=st.lists(st.binary(max_size=3000), max_size=20), order=st.randoms(use_true_random=False))
def test_any_order_and_copies(texts: list[bytes], order) -> None:
    client, server = own_pair()
    exchange(client, server)
    records = [client.write(text) for text in texts] * 2
    order.shuffle(records)
    received = [text for record in records for text in server.receive(record, 0)]
    assert sorted(received) == sorted(texts)


@settings(max_examples=100, deadline=None)
@given(junk=st.lists(st.binary(max_size=200), max_size=5), header=st.booleans())
def test_junk_after_the_handshake_changes_nothing(junk: list[bytes], header: bool) -> None:
    client, server = own_pair()
    exchange(client, server)
    for data in junk:
        if header:
            data = b"\x17\xfe\xfd\0\x01" + bytes(6) + len(data).to_bytes(2, "big") + data
        assert server.receive(data, 0) == []
    assert server.receive(client.write(b"still here"), 0) == [b"still here"]


def test_gives_up() -> None:
    client = Connection(Certificate.generate(), "client", give_up_after=3, first_timeout=0.5, last_timeout=1)
    clock = Clock()
    client.start(clock.now)
    sent = 0
    while client.deadline is not None:
        sent += len(client.transmit(clock.now))
        clock.now = client.deadline
        client.expire(clock.now)
    assert clock.now == pytest.approx(1003)
    assert sent == 4  # at 0, 0.5, 1.5, 2.5
    assert client.events()[-1] == ("failed", "the handshake was not complete within 3 s")


def test_arguments(connected: tuple[Connection, Connection]) -> None:
    client, _ = connected
    certificate = Certificate.generate()
    with pytest.raises(TypeError):
        Connection(None, "client")  # type: ignore[arg-type]
    for options in ({"mtu": 100}, {"mtu": 100000}, {"srtp_profiles": (3,)}, {"srtp_profiles": (7, 7)},
                    {"first_timeout": 0}, {"give_up_after": float("nan")}):  # fmt: skip
        with pytest.raises(ValueError):  # noqa: PT011
            Connection(certificate, "client", **options)
    with pytest.raises(ValueError, match='"client" or "server"'):
        Connection(certificate, "auto")  # type: ignore[arg-type]
    with pytest.raises(ConnectionError):
        client.start(0)
    with pytest.raises(ValueError, match="at most 16384"):
        client.write(bytes(16385))
    with pytest.raises(TypeError):
        client.write("text")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="size"):
        client.export_keying_material("x", 0)
    with pytest.raises(ValueError, match="hexadecimal"):
        client.add_fingerprint("sha-256", "XY", 0)
    with pytest.raises(ValueError, match="sha-1"):
        client.add_fingerprint("sha-1", bytes(20), 0)
    with pytest.raises(ValueError, match="invalid"):
        client.add_fingerprint("sha-256", bytes(20), 0)
    with pytest.raises(ConnectionError, match="not authenticated"):
        client.add_fingerprint("sha-256", bytes(32), 0)
    with pytest.raises(ValueError, match="now"):
        client.expire(float("inf"))
    fresh = Connection(certificate, "client")
    assert fresh.remote_certificate is None
    assert (fresh.state, fresh.cipher, fresh.group) == ("new", "", "")
    with pytest.raises(ConnectionError):
        fresh.write(b"x")
    with pytest.raises(ConnectionError):
        fresh.export_keying_material("x", 10)
    assert fresh.receive(b"\x16", 0) == []
