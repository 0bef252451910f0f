"""SRTP and SRTCP (RFC 3711, RFC 7714): packets protected in place, one or many at a time, without the GIL.

The cryptography is libsrtp's, as pylibsrtp ships it; its functions are called directly.
"""

import enum
from typing import Any, final

import numpy as np
import numpy.typing as npt
from typing_extensions import Buffer

class Profile(enum.IntEnum):
    """DTLS-SRTP protection profiles, by their IANA numbers."""

    AES128_CM_SHA1_80 = 1
    AES128_CM_SHA1_32 = 2
    AEAD_AES_128_GCM = 7
    AEAD_AES_256_GCM = 8

class Status(enum.IntEnum):
    """What became of one packet of a batch."""

    OK = 0
    MALFORMED = 1
    UNAUTHENTICATED = 2
    REPLAYED = 3
    TOO_OLD = 4
    TOO_LARGE = 5
    REFUSED = 6

TRAILER: int
"""Room that a packet needs behind it to be protected, bytes."""

class AuthenticationError(ConnectionError):
    """The tag of a packet does not match: damaged, forged, or another key."""

class ReplayError(ConnectionError):
    """A packet that was seen before, or is older than the replay window."""

def key_size(profile: int) -> int:
    """Bytes of master key and salt together. `ValueError`: an unknown profile."""

def split_keys(profile: int, material: Buffer, *, client: bool) -> bytes:
    """Master key and salt of the DTLS client's (or server's) direction, out of what was exported from DTLS
    under "EXTRACTOR-dtls_srtp" (RFC 5764 section 4.2). `ValueError`: `material` has not twice `key_size()`
    bytes."""

@final
class Srtp:
    """One direction of a session: protects, if `outbound`, else unprotects; any number of streams (SSRCs).

    `keys`: master key and salt, one after the other. `window`: replay window in packets, 64 to 32,767;
    None: 1,024 inbound, 128 outbound. `max_streams`: inbound, the stream longest unused makes room for a
    new one; outbound, a new one is refused. `repeats`: an outbound packet may be protected again, for
    retransmission. `ValueError` for wrong arguments. One thread at a time.

    Packets are any objects with the buffer protocol. All calls raise `ValueError` for what is no RTP (RTCP)
    packet or does not fit, `AuthenticationError` and `ReplayError` when unprotecting, `ConnectionError`
    when the key has been used as often as it may or the stream was removed, `BlockingIOError` when there
    are too many streams.
    """

    def __init__(
        self,
        profile: int,
        keys: Buffer,
        *,
        outbound: bool,
        window: int | None = None,
        max_streams: int = 512,
        repeats: bool = False,
    ) -> None: ...
    def protect(self, packet: Buffer) -> bytes:
        """The SRTP packet of an RTP packet. `packet` is not changed."""
    def protect_rtcp(self, packet: Buffer) -> bytes:
        """The SRTCP packet of an RTCP packet. `packet` is not changed."""
    def unprotect(self, packet: Buffer) -> bytes:
        """The RTP packet of an SRTP packet. `packet` is not changed."""
    def unprotect_rtcp(self, packet: Buffer) -> bytes:
        """The RTCP packet of an SRTCP packet. `packet` is not changed."""
    def protect_into(self, packet: Buffer, out: Buffer) -> int:
        """Writes the protected packet, RTP or RTCP (RFC 5761), to `out`, which needs `TRAILER` bytes more
        than the packet; returns its size. Both may begin at the same byte: then it is done in place."""
    def unprotect_into(self, packet: Buffer, out: Buffer) -> int:
        """Writes the plain packet, RTP or RTCP, to `out`, which needs as many bytes as `packet`; returns
        its size. Both may begin at the same byte: then it is done in place."""
    def protect_batch(
        self, memory: Buffer, offsets: npt.NDArray[np.uint32], sizes: npt.NDArray[np.uint32]
    ) -> npt.NDArray[np.uint8]:
        """Many packets in place, RTP and RTCP mixed, without the GIL. Packet i has `sizes[i]` bytes at
        `offsets[i]` of the writable `memory`; offsets ascend, and a packet may grow up to the next one's.
        `sizes` is changed to the new sizes. Returns a `Status` for each packet, shape (n,); a packet that
        failed keeps its size. `ValueError`: packets overlap or leave `memory`."""
    def unprotect_batch(
        self, memory: Buffer, offsets: npt.NDArray[np.uint32], sizes: npt.NDArray[np.uint32]
    ) -> npt.NDArray[np.uint8]:
        """As `protect_batch()`, the other way. The bytes of a packet that failed are undefined."""
    def add_stream(self, ssrc: int, *, window: int | None = None, repeats: bool | None = None) -> None:
        """Before its first packet, which would do it, too. `repeats`, `window`: other than the session's
        others have it; None: as they. `ValueError`: there is one."""
    def remove_stream(self, ssrc: int) -> None:
        """`ValueError`: there is none. Outbound it cannot come back: its nonces would be used twice."""
    def rollover(self, ssrc: int) -> int:
        """The stream's roll-over counter (RFC 3711 section 3.3.1), as of its highest packet. `ValueError`:
        no such stream."""
    def stats(self) -> dict[str, Any]:
        """Counters: packets (that went well), unauthenticated, replayed, old, malformed, evicted (streams);
        streams (now)."""
