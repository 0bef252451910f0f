"""The jitter buffer alone, for people with RTP packets of their own: packets in, in whatever order they come;
encoded frames out, in decodable order, at the time of their playout."""

from collections.abc import Iterable
from typing import Any, final

from typing_extensions import Buffer

from rtcore.native.frame import EncodedFrame

@final
class JitterBuffer:
    """The jitter buffer of one stream of one codec (its SDP name, as in `EncodedFrame`; not "red").

    Video frames come whole and in decodable order; after a loss that lasts for `patience` seconds the next
    key frame ends the wait (`key_frame_needed`), or for VP8 and VP9 the next frame that refers to nothing
    lost. Audio comes on a time line without gaps: what did not come in time is a frame with `lost`. The delay
    adapts between `min_delay` and `max_delay` seconds to the 95% quantile of how late packets come.
    `passthrough`: frames come as soon as they are whole and in order, without delay and concealment. Not to
    be used by two threads at once."""

    codec: str
    """The codec's SDP name."""

    def __init__(
        self,
        codec: str,
        *,
        clock_rate: int | None = None,
        channels: int = 1,
        passthrough: bool = False,
        min_delay: float = 0.0,
        max_delay: float = 2.0,
        max_packets: int = 2048,
        patience: float = 0.1,
    ) -> None:
        """`clock_rate`: of the RTP timestamps, by default the codec's (L16 has none). `max_packets`: how many
        may wait, up to 65536. `ValueError` for what is out of range or an unknown codec."""
    def add(self, packet: Buffer, now: float, *, recovered: bool = False) -> bool:
        """Takes one RTP packet (decrypted, any payload type) that came at `now`, in seconds of the caller's
        clock.

        `recovered`: by retransmission. Returns whether it was kept: False for what is malformed, a duplicate,
        too late, or so far from the others that it is on probation; all are counted. Copies what it keeps.
        """
    def add_batch(self, packets: Iterable[Buffer], now: float, *, recovered: bool = False) -> int:
        """The same for a sequence of packets that came in this order; without the GIL. Returns how many were
        kept."""
    def pop(self, now: float) -> list[EncodedFrame]:
        """The frames that are due at `now`, as a list of `EncodedFrame`. Call it after packets were added,
        and when the deadline has come."""
    @property
    def deadline(self) -> float | None:
        """When `pop()` may have something next, in seconds of the caller's clock. None: not before another
        packet comes."""
    @property
    def key_frame_needed(self) -> bool:
        """Whether nothing decodable can come any more without a key frame: ask the sender for one (PLI)."""
    def set_delay(self, min_delay: float, max_delay: float) -> None:
        """Other bounds of the delay, in seconds."""
    def set_patience(self, patience: float) -> None:
        """How many seconds a hole is waited for before a key frame is needed: what a retransmission may
        take."""
    def statistics(self) -> dict[str, Any]:
        """Counters, named as in W3C webrtc-stats where they are there; times in seconds."""
