"""DTLS 1.2 for WebRTC: certificates as values, and the connection (RFC 6347, RFC 8827) sans-IO.

A `Certificate` is immutable and can be shared by any number of connections and threads. A `Connection` is
the whole protocol without sockets: feed it the datagrams that arrive, send what `transmit()` gives, call
`expire()` when `deadline` has come. It opens only when the peer's certificate matched a fingerprint.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Literal, NoReturn, final

from typing_extensions import Buffer

_State = Literal["new", "connecting", "connected", "closed", "failed"]

@final
class Certificate:
    """An X.509 certificate with its private key, made by `generate()` or `from_pem()`."""

    def __init__(self, never: NoReturn) -> None: ...
    @staticmethod
    def generate(*, valid: timedelta = ...) -> Certificate:
        """A self-signed ECDSA P-256 certificate, valid for `valid` from now, and a day back for late clocks.

        `ValueError` when `valid` is not positive or ends after the year 9999.
        """
    @staticmethod
    def from_pem(certificate: str | Buffer, key: str | Buffer) -> Certificate:
        """From PEM texts (str or bytes) of a certificate and its unencrypted private key, ECDSA or RSA.

        `ValueError` when a text is malformed, the kind of key is not supported, or it is another
        certificate's key.
        """
    def pem(self) -> tuple[str, str]:
        """Certificate and private key (PKCS #8, not encrypted) as PEM, as `from_pem()` takes them."""
    @property
    def der(self) -> bytes:
        """The certificate, DER."""
    @property
    def expires(self) -> datetime:
        """The end of its validity, in UTC."""
    def fingerprint_bytes(self, algorithm: str = "sha-256") -> bytes:
        """The digest of the DER form. `ValueError` unless the algorithm is sha-256, sha-384 or sha-512."""
    def fingerprint(self, algorithm: str = "sha-256") -> str:
        """The digest as a=fingerprint has it (RFC 8122 section 5): "AB:CD:..."."""
    def __hash__(self) -> int: ...

class Connection:
    """One DTLS connection, without sockets. One thread at a time.

    `now` is any clock that only goes forward, in seconds. What a peer can cause (malformed, replayed or
    forged records) is counted in `stats()` and otherwise ignored.
    """

    def __init__(
        self,
        certificate: Certificate,
        role: Literal["client", "server"],
        *,
        mtu: int = 1200,
        srtp_profiles: Iterable[int] = (),
        first_timeout: float = 0.4,
        last_timeout: float = 8.0,
        give_up_after: float = 30.0,
    ) -> None: ...
    @property
    def certificate(self) -> Certificate: ...
    @property
    def role(self) -> Literal["client", "server"]: ...
    def add_fingerprint(self, algorithm: str, digest: str | Buffer, now: float) -> None:
        """One of the peer's fingerprints, as bytes or as "AB:CD:...". One of those given must match.

        `ValueError` for an unknown algorithm or a digest of the wrong size; `ConnectionError` when the
        connection is over, or open with a peer of another fingerprint.
        """
    def start(self, now: float) -> None:
        """Begins the handshake; a client's first flight waits in `transmit()`.

        `ConnectionError` the second time.
        """
    def receive(self, data: Buffer, now: float) -> list[bytes]:
        """Takes one datagram and returns the application records that can be read now.

        Records that came before the peer's fingerprint was known are returned by the first call after it
        matched; an empty datagram only asks for them.
        """
    def transmit(self, now: float) -> list[bytes]:
        """The datagrams of handshake and alerts that are to be sent now."""
    def write(self, data: Buffer) -> bytes:
        """Encrypts `data`, at most 16384 bytes, into one record, which is 37 bytes longer.

        `ConnectionError` unless connected, `ValueError` when it is too large.
        """
    @property
    def deadline(self) -> float | None:
        """When `expire()` is due, on the clock of `now`; None when nothing is waited for."""
    def expire(self, now: float) -> None:
        """The deadline has come: flights are sent again, or the handshake is given up."""
    def events(self) -> list[tuple[_State, str]]:
        """State changes since the last call as (state, reason); the reason tells why it closed or failed."""
    def close(self, now: float) -> None:
        """Says good-bye (close_notify waits in `transmit()`). Idempotent."""
    def export_keying_material(self, label: str, size: int) -> bytes:
        """`size` bytes of keying material (RFC 5705, no context). `ConnectionError` unless connected."""
    @property
    def state(self) -> _State:
        """new, connecting, connected, closed or failed (W3C RTCDtlsTransportState)."""
    @property
    def srtp_profile(self) -> int | None:
        """IANA number of the agreed SRTP protection profile (RFC 5764), None when there is none."""
    @property
    def cipher(self) -> str:
        """IANA name of the cipher suite, empty before it is agreed."""
    @property
    def group(self) -> str:
        """ "X25519" or "P-256", empty before it is agreed."""
    @property
    def remote_certificate(self) -> bytes | None:
        """The peer's certificate in DER, None before it came."""
    def stats(self) -> dict[str, int]:
        """Counters: application records and plaintext bytes both ways, dropped records, repeated flights."""
