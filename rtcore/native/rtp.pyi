"""RTP packets (RFC 3550 section 5) with header extensions (RFC 8285): one as an object, many as a numpy
array."""

import enum
from collections.abc import Iterable, Mapping, Sequence
from typing import final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from typing_extensions import Buffer

DTYPE: np.dtype[np.void]
"""A row of `parse_batch()`: capture_time, capture_offset (NTP units), timestamp, ssrc, payload_offset,
payload_size (without padding), present (a bit for each extension, 31: capture_offset), abs_send_time,
descriptor_offset, descriptor_size, sequence, transport_sequence, playout_min, playout_max (10 ms), valid,
payload_type, marker, padding, csrc_count, voice, audio_level (dBov), orientation, mid, rid,
repaired_rid."""

class Extension(enum.IntEnum):
    """What header extensions are for."""

    MID = 0
    RID = 1
    REPAIRED_RID = 2
    AUDIO_LEVEL = 3
    ABS_SEND_TIME = 4
    TRANSPORT_SEQUENCE = 5
    VIDEO_ORIENTATION = 6
    PLAYOUT_DELAY = 7
    ABS_CAPTURE_TIME = 8
    DEPENDENCY_DESCRIPTOR = 9

    @property
    def uri(self) -> str:
        """Its name in a=extmap."""
    @property
    def bit(self) -> int:
        """Its bit in the field `present` of `DTYPE`."""

def is_rtcp(data: Buffer) -> bool:
    """Whether a datagram of RTP or RTCP is RTCP, by its second byte (RFC 5761 section 4)."""

def to_ntp(seconds: float) -> int:
    """NTP time in 64 bits (RFC 3550 section 4) of seconds since 1970, as `time.time()` has them.

    `ValueError` before 1900 or after 2036.
    """

def from_ntp(ntp: int) -> float:
    """Seconds since 1970 of an NTP time in 64 bits."""

@final
class ExtensionMap:
    """Which id stands for which header extension (a=extmap). Immutable."""

    def __init__(
        self, ids: Mapping[str, int] | Mapping[Extension, int] | Mapping[str | Extension, int]
    ) -> None:
        """`ids`: the id, 1 to 14 or 16 to 255, for each extension, by `Extension` or URI; URIs that are not
        known are passed over. `ValueError` for an id out of range or taken twice.
        """
    @property
    def ids(self) -> dict[Extension, int]:
        """The known extensions with their ids."""
    def __eq__(self, other: object) -> bool: ...
    def __hash__(self) -> int: ...

@final
class RtpPacket:
    """One RTP packet. Its fields can be set; `ValueError` for what does not fit them.

    The values of header extensions are attributes, `None` where the packet has not the extension. They need
    an `ExtensionMap`, given to `parse()` or `serialize()`. Without one the extension block stays as it
    came.
    """

    def __init__(
        self,
        payload: Buffer = b"",
        *,
        payload_type: int = 0,
        sequence: int = 0,
        timestamp: int = 0,
        ssrc: int = 0,
        marker: bool = False,
        csrcs: Iterable[int] = (),
        padding: int = 0,
        extensions: ExtensionMap | None = None,
    ) -> None:
        """A packet of one's own. `extensions`: the `ExtensionMap` that `serialize()` is to use."""
    @staticmethod
    def parse(data: Buffer, extensions: ExtensionMap | None = None) -> RtpPacket:
        """Reads one datagram. `ValueError` when it is malformed, or its extension block is and `extensions`
        are given."""
    def serialize(self, extensions: ExtensionMap | None = None) -> bytes:
        """The packet's bytes, padding included.

        With `extensions`, or those that it was parsed with, the extension block is made of the packet's
        values that have an id there; without, it is the block that it came with. `ValueError` if it has
        values and there are no ids for any.
        """
    def unwrap_rtx(self, *, ssrc: int, payload_type: int) -> RtpPacket:
        """The original packet that this one, of a retransmission stream (RFC 4588), carries: of `ssrc` and
        `payload_type`, with the sequence number from the payload. `ValueError` for a payload too short.
        """
    def __bytes__(self) -> bytes: ...
    def __eq__(self, other: object) -> bool: ...
    @property
    def payload_type(self) -> int:
        """0 to 127."""
    @payload_type.setter
    def payload_type(self, value: int) -> None: ...
    @property
    def sequence(self) -> int:
        """Sequence number, 16 bits."""
    @sequence.setter
    def sequence(self, value: int) -> None: ...
    @property
    def timestamp(self) -> int:
        """In units of the codec's clock, 32 bits."""
    @timestamp.setter
    def timestamp(self, value: int) -> None: ...
    @property
    def ssrc(self) -> int:
        """The stream's source, 32 bits."""
    @ssrc.setter
    def ssrc(self, value: int) -> None: ...
    @property
    def marker(self) -> bool:
        """Most often: the last packet of a picture, the first one of a talk spurt."""
    @marker.setter
    def marker(self, value: bool) -> None: ...
    @property
    def csrcs(self) -> tuple[int, ...]:
        """The contributing sources, up to 15."""
    @csrcs.setter
    def csrcs(self, value: Iterable[int]) -> None: ...
    @property
    def padding(self) -> int:
        """Bytes behind the payload with the one that counts them; 0: none."""
    @padding.setter
    def padding(self, value: int) -> None: ...
    @property
    def payload(self) -> bytes:
        """The payload without padding, as bytes; any buffer can be set."""
    @payload.setter
    def payload(self, value: Buffer) -> None: ...
    @property
    def block(self) -> tuple[int, bytes] | None:
        """(profile, content) of the extension block as it came, without its four bytes of header; None
        without. When it is set its length must be a multiple of four."""
    @block.setter
    def block(self, value: tuple[int, Buffer] | None) -> None: ...
    @property
    def elements(self) -> tuple[tuple[int, bytes], ...]:
        """(id, value) of each element of the extension block as it came; `ValueError` where one leaves it."""
    @property
    def extensions(self) -> ExtensionMap | None:
        """The `ExtensionMap` that it was parsed or made with."""
    @property
    def mid(self) -> str | None:
        """Identification of the media section (RFC 9143), 1 to 16 bytes."""
    @mid.setter
    def mid(self, value: str | None) -> None: ...
    @property
    def rid(self) -> str | None:
        """Identification of the encoding (RFC 8852), 1 to 16 bytes."""
    @rid.setter
    def rid(self, value: str | None) -> None: ...
    @property
    def repaired_rid(self) -> str | None:
        """Identification of the encoding that a retransmission stream repairs (RFC 8852), 1 to 16 bytes."""
    @repaired_rid.setter
    def repaired_rid(self, value: str | None) -> None: ...
    @property
    def audio_level(self) -> int | None:
        """In dBov, -127 (silence) to 0 (RFC 6464)."""
    @audio_level.setter
    def audio_level(self, value: int | None) -> None: ...
    @property
    def voice(self) -> bool:
        """Whether the audio holds voice; goes with `audio_level`."""
    @voice.setter
    def voice(self, value: bool) -> None: ...
    @property
    def abs_send_time(self) -> int | None:
        """When it was sent: 24 bits, in seconds with 18 bits of fraction, once around in 64 seconds."""
    @abs_send_time.setter
    def abs_send_time(self, value: int | None) -> None: ...
    @property
    def transport_sequence(self) -> int | None:
        """Sequence number for transport-wide feedback, 16 bits."""
    @transport_sequence.setter
    def transport_sequence(self, value: int | None) -> None: ...
    @property
    def orientation(self) -> int | None:
        """Camera, flip and rotation of the video: the byte 0000CFRR of 3GPP TS 26.114."""
    @orientation.setter
    def orientation(self, value: int | None) -> None: ...
    @property
    def playout_delay(self) -> tuple[int, int] | None:
        """(minimum, maximum) in units of 10 ms, each up to 4095."""
    @playout_delay.setter
    def playout_delay(self, value: tuple[int, int] | None) -> None: ...
    @property
    def capture_time(self) -> int | None:
        """When it was captured, by the NTP clock of who captured it, 64 bits."""
    @capture_time.setter
    def capture_time(self, value: int | None) -> None: ...
    @property
    def capture_offset(self) -> int | None:
        """What the capturing clock is ahead of the sender's, in units of 2^-32 s, signed; goes with
        `capture_time`."""
    @capture_offset.setter
    def capture_offset(self, value: int | None) -> None: ...
    @property
    def dependency_descriptor(self) -> bytes | None:
        """The dependency descriptor of AV1's RTP format, 1 to 255 bytes as they are."""
    @dependency_descriptor.setter
    def dependency_descriptor(self, value: Buffer | None) -> None: ...

def parse_batch(
    packets: Sequence[Buffer] | Buffer,
    extensions: ExtensionMap | None = None,
    *,
    offsets: ArrayLike | None = None,
    sizes: ArrayLike | None = None,
    out: NDArray[np.void] | None = None,
) -> NDArray[np.void]:
    """The headers of many packets, as a structured array of `DTYPE` with a row for each; without the GIL.

    `packets` is a sequence of buffers; or one buffer, with `offsets` (n + 1 of them: packet i reaches from
    `offsets[i]` to `offsets[i + 1]`) or with `offsets` and `sizes` (n each). `payload_offset` and
    `descriptor_offset` count from the packet's start, in one buffer from the buffer's. `out`: an array of
    `DTYPE` to fill, of which the used part is returned.

    A malformed packet has a row of zeros: look at `valid`. `present` tells which extensions a packet has
    (`Extension.bit`), bit 31 a capture offset. `ValueError` for offsets outside of the buffer.
    """
