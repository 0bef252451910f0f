"""Encoded frames: what a track carries between network and codec, without a copy of its bytes."""

from typing import final

from typing_extensions import Buffer

@final
class EncodedFrame:
    """One encoded video frame, or the audio of one packet. Immutable; its bytes are its buffer:
    `bytes(frame)`, `memoryview(frame)`, `len(frame)`.

    `codec` is the SDP name ("opus", "PCMU", "PCMA", "G722", "L16", "telephone-event", "CN", "VP8", "VP9",
    "H264", "H265", "AV1"). H.264 and H.265 are in Annex B form, AV1 in low-overhead form, each with all of
    one picture. `timestamp` and `duration` count units of the codec's RTP clock; a received timestamp is
    unwrapped and never goes back by more than reordering of frames does. `captured`: seconds since 1970, by
    the sender's clock.

    `lost`: an audio frame that did not come; it has no data, and its `duration` is to be concealed.
    `stretch`: by how many clock units an audio frame should be played longer (or shorter), so that the jitter
    buffer's delay follows the network. `discontinuity`: frames are missing before this one.
    """

    def __init__(
        self,
        data: Buffer,
        *,
        codec: str,
        timestamp: int,
        key: bool = False,
        duration: int = 0,
        spatial: int = 0,
        temporal: int = 0,
        discardable: bool = False,
        marker: bool = False,
        audio_level: int | None = None,
        voice: bool = False,
        rotation: int = 0,
        width: int = 0,
        height: int = 0,
        captured: float | None = None,
        lost: bool = False,
        discontinuity: bool = False,
        stretch: int = 0,
    ) -> None:
        """`audio_level` in dBov, -127 to 0 (RFC 6464). `rotation` clockwise: 0, 90, 180 or 270 degrees.
        Copies `data` once. `ValueError` for what is out of range or an unknown codec."""
    def __len__(self) -> int: ...
    def __bool__(self) -> bool: ...
    def __buffer__(self, flags: int, /) -> memoryview: ...
    @property
    def data(self) -> memoryview:
        """The bytes, read-only, without a copy."""
    @property
    def codec(self) -> str: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def duration(self) -> int: ...
    @property
    def key(self) -> bool: ...
    @property
    def lost(self) -> bool: ...
    @property
    def discontinuity(self) -> bool: ...
    @property
    def recovered(self) -> bool: ...
    @property
    def discardable(self) -> bool: ...
    @property
    def marker(self) -> bool: ...
    @property
    def spatial(self) -> int: ...
    @property
    def temporal(self) -> int: ...
    @property
    def audio_level(self) -> int | None: ...
    @property
    def voice(self) -> bool: ...
    @property
    def rotation(self) -> int: ...
    @property
    def width(self) -> int:
        """0 when the payload does not tell."""
    @property
    def height(self) -> int: ...
    @property
    def stretch(self) -> int: ...
    @property
    def captured(self) -> float | None: ...
    @property
    def ssrc(self) -> int: ...
    @property
    def payload_type(self) -> int: ...
    @property
    def encoding(self) -> int:
        """Which of the section's encodings (RIDs) it belongs to; 0 without simulcast."""
    @property
    def packets(self) -> int:
        """How many carried it; 0 for one of one's own."""
    @property
    def arrived(self) -> float:
        """When its first packet came, in seconds of the core's clock (`time.monotonic` on Linux); 0: own."""
    @property
    def completed(self) -> float: ...
    @property
    def released(self) -> float:
        """When the jitter buffer let it go."""
