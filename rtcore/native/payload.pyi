"""Payload formats: encoded frames into RTP payloads and back (native/wire/payload.h)."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple, final

from typing_extensions import Buffer

from rtcore.native.frame import EncodedFrame

@final
class Payloads:
    """The payloads of one frame, in one block of memory. `len()`, iteration and `payloads[i]` give them as
    bytes.

    The block itself is the object's buffer: `memoryview(payloads)` has all payloads one behind the other,
    without a copy, and `sizes` says how long each is.
    """

    def __len__(self) -> int: ...
    def __getitem__(self, index: int, /) -> bytes: ...
    def __iter__(self) -> Iterator[bytes]: ...
    def __buffer__(self, flags: int, /) -> memoryview: ...
    @property
    def sizes(self) -> list[int]:
        """Bytes of each payload."""
    @property
    def key(self) -> bool:
        """Whether they are of a key frame."""

@final
class Packetizer:
    """Cuts the frames of one stream into RTP payloads; counts its picture ids."""

    def __init__(
        self, codec: str, *, channels: int = 1, packetization_mode: int = 1, seed: int | None = None
    ) -> None:
        """`codec`: its SDP name. `packetization_mode`: of H.264, 0 or 1. The first picture id is random; with
        a `seed` (an integer) always the same. `ValueError`: an unknown codec."""
    def packetize(
        self,
        data: EncodedFrame | Buffer,
        *,
        max_payload: int = 1200,
        temporal: int = 0,
        discardable: bool = False,
        marker: bool = False,
    ) -> Payloads:
        """The payloads of one frame, each of at most `max_payload` bytes (64 to 65535). Their sizes are equal
        but for the last one's, as far as the format lets them.

        `data` is an `EncodedFrame`, which says by itself what the other arguments say, or any buffer.
        `temporal`: the frame's layer. `discardable`: no other frame needs it. `marker`: of audio, a talk
        spurt begins. `ValueError`: not a frame of this codec, or one that the format cannot
        cut (audio, H.264 in mode 0).
        """

@final
class PayloadInfo:
    """What one payload tells of its frame."""

    @property
    def starts_frame(self) -> bool:
        """Whether it is the first payload of its frame. H.264, H.265 and AV1 do not mark that: there it says
        that a frame may start here."""
    @property
    def ends_frame(self) -> bool:
        """Whether it is certainly the last one: by the format, or the marker."""
    @property
    def key(self) -> bool:
        """Whether it is part of a key frame, as far as this payload tells."""
    @property
    def discardable(self) -> bool:
        """Whether no other frame needs its frame."""
    @property
    def layer_switch(self) -> bool:
        """VP8, VP9: one may switch up to this temporal layer here."""
    @property
    def spatial(self) -> int:
        """The spatial layer, 0 without layers."""
    @property
    def temporal(self) -> int:
        """The temporal layer, 0 without layers."""
    @property
    def picture_id(self) -> int | None:
        """7 or 15 bits (VP8, VP9); None when there is none."""
    @property
    def tl0(self) -> int | None:
        """The count of frames of the lowest temporal layer (VP8, VP9); None when there is none."""
    @property
    def width(self) -> int:
        """Of the picture, where this payload of a key frame tells it; else 0."""
    @property
    def height(self) -> int:
        """Of the picture, where this payload of a key frame tells it; else 0."""
    @property
    def duration(self) -> int:
        """Of audio, in units of the RTP clock; 0 for video."""

@final
class Depacketizer:
    """Reads the RTP payloads of one codec. Has no state: frames may come in any order."""

    def __init__(self, codec: str, *, channels: int = 1, packetization_mode: int = 1) -> None:
        """`codec`: its SDP name. `channels`: of audio, for durations. `ValueError`: an unknown codec."""
    def inspect(self, payload: Buffer, marker: bool = False) -> PayloadInfo:
        """What one payload (any buffer) tells of its frame; `marker` is that of its RTP packet.
        `ValueError`: not a payload of this format."""
    def assemble(self, payloads: Iterable[Buffer], timestamp: int = 0) -> EncodedFrame:
        """The frame of these payloads (buffers): all of one frame and in their order, as an `EncodedFrame`.
        `timestamp`: its own, in units of the RTP clock. `ValueError`: something is malformed or missing."""

class RedBlock(NamedTuple):
    """One block of a RED payload. `timestamp_offset`: before the packet's, 0 for the primary block."""

    payload_type: int
    timestamp_offset: int
    data: bytes

def red_read(payload: Buffer) -> list[RedBlock]:
    """The blocks of a RED payload (RFC 2198), the primary one last. `ValueError`: malformed, or over 32."""

def red_write(blocks: Iterable[tuple[int, int, Buffer]]) -> bytes:
    """A RED payload of (payload_type, timestamp_offset, data), the primary block last and with offset 0.
    `ValueError`: no block, more than 32, or a value that the header cannot tell (offsets end at 16383,
    redundant blocks at 1023 bytes)."""

class TelephoneEvent(NamedTuple):
    """A payload of telephone-event (RFC 4733 section 2.3). `event`: 0 to 9, 10 '*', 11 '#', 12 to 15 A to D,
    16 flash. `volume` in -dBm0. `duration` in units of the RTP clock."""

    event: int
    end: bool
    volume: int
    duration: int

def telephone_event_read(payload: Buffer) -> TelephoneEvent:
    """The event of a payload. `ValueError`: malformed."""

def telephone_event_write(event: tuple[int, bool, int, int]) -> bytes:
    """The payload of an event. `ValueError`: a value out of range (event 0 to 255, volume 0 to 63, duration 0
    to 65535)."""

def opus_duration(packet: Buffer) -> int:
    """Samples at 48 kHz in an Opus packet (RFC 6716 section 3.1); 0: malformed."""
