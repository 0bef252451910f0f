"""What two ends agreed on about one audio or video section, in terms of the core's `Media.set_section()`."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from .codecs import RtpCodec
from .transceiver import SendEncoding, Transceiver, receives, sends

__all__ = ["AgreedFormat", "AgreedSection"]

_FEEDBACK = {
    "nack": "nack",
    "nack pli": "pli",
    "ccm fir": "fir",
    "transport-cc": "twcc",
    "goog-remb": "remb",
}


@lru_cache(64)
def _words(feedback: tuple[str, ...]) -> frozenset[str]:
    """What both ends have is what we have, less something: there are few."""
    return frozenset(_FEEDBACK[kind] for kind in feedback if kind in _FEEDBACK)


@dataclass(slots=True, frozen=True)
class AgreedFormat:
    """A payload type, its codec, and the payload type of its retransmissions (RFC 4588)."""

    payload_type: int
    codec: RtpCodec
    rtx_payload_type: int | None = None
    ptime: int = 0
    """Milliseconds of audio per packet that the receiver asks for; 0: it does not."""

    @property
    def feedback(self) -> frozenset[str]:
        """Of "nack", "pli", "fir", "twcc", "remb": the words of `rtcore.native.media.Format`."""
        return _words(self.codec.feedback)

    @property
    def packetization_mode(self) -> int:
        """H.264 (RFC 6184 section 6.2): 0 where it is not given; 1 for other codecs."""
        _, name, _, _, *variant = self.codec.identity
        return 1 if name != "h264" or variant[0] == "1" else 0


@dataclass(slots=True, frozen=True)
class AgreedSection:
    """One section that is alive. `index` numbers it, in `Media.set_section()` too; after a section was given
    up, another may have its number, with another mid and transceiver."""

    index: int
    mid: str
    transceiver: Transceiver
    direction: str
    """Ours: "sendrecv", "sendonly", "recvonly" or "inactive"."""
    formats: tuple[AgreedFormat, ...]
    """What may come, with our payload types and our format parameters."""
    send_formats: tuple[AgreedFormat, ...]
    """What the other end takes, the preferred one first, with its payload types and its format parameters
    (profile and level, Opus' stereo, usedtx, maxaveragebitrate, ... which bind our encoder)."""
    extensions: Mapping[str, int]
    """Ids of header extensions by URI."""
    sources: tuple[tuple[int, int | None], ...] = ()
    """(SSRC, SSRC of its RTX) that the other end told."""
    rids: tuple[str, ...] = ()
    """Encodings that the other end sends, without those that it offers as alternatives."""
    encodings: tuple[SendEncoding, ...] = ()
    """Those of the transceiver's encodings that the other end takes; their place here is their number in
    `Media.send()`. Without simulcast: the first one."""
    send_rids: bool = False
    """Simulcast: each encoding says its rid. Otherwise the other end does not know of rids."""
    reduced_size: bool = True
    """RTCP packets need not be compound (RFC 5506)."""

    @property
    def kind(self) -> str:
        return self.transceiver.kind

    @property
    def receive(self) -> bool:
        return receives(self.direction)

    @property
    def send(self) -> bool:
        return sends(self.direction)

    @property
    def send_format(self) -> AgreedFormat | None:
        """The first one that a track can be sent with; None: there is none."""
        return next((format for format in self.send_formats if format.codec.primary), None)
