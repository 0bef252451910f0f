"""The media of a peer on a worker (native/peer/media.h): sections, frames in and out, statistics.

A section stands for one m-section of the session description, by a number of the caller's choice (0 to 255).
What was negotiated is told with `set_section()`, again after each negotiation. Frames that come in go to the
section's receiver; everything else to the handler.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, final

from rtcore.native.frame import EncodedFrame
from rtcore.native.worker import Peer

class Format(NamedTuple):
    """One payload type. `codec` as in `EncodedFrame`, or "red". `feedback`: of "nack", "pli", "fir", "twcc",
    "remb". `packetization_mode` is H.264's; `ptime`: audio, ms per packet, 0: as frames come."""

    payload_type: int
    codec: str
    clock_rate: int
    channels: int = 1
    rtx_payload_type: int | None = None
    feedback: frozenset[str] = frozenset()
    packetization_mode: int = 1
    ptime: int = 0

class Encoding(NamedTuple):
    """One stream that is sent. SSRCs are unique in the connection; `max_bitrate` in bit/s."""

    ssrc: int
    rtx_ssrc: int | None = None
    rid: str = ""
    active: bool = True
    max_bitrate: int | None = None

class MediaHandler(Protocol):
    """What a `Media` calls, from `Worker.run()`, in the order in which things happened."""

    def on_stream(self, section: int, encoding: int, ssrc: int) -> None:
        """A stream began to arrive."""
    def on_stream_ended(self, section: int, encoding: int, ssrc: int) -> None:
        """BYE, or another stream took its place."""
    def on_key_frame_request(self, section: int, encoding: int) -> None:
        """The other end (PLI, FIR), or our own queue after dropping frames, needs a key frame of it."""
    def on_bitrate(self, section: int, encoding: int, bitrate: int) -> None:
        """What the encoder of this encoding should produce from now on, bit/s. 0: nothing (paused)."""
    def on_frames_dropped(self, section: int, count: int) -> None:
        """Frames waited too long for the event loop; the oldest went."""

@final
class Media:
    """The media of `peer`; `handler` (see the stub's `MediaHandler`) hears what happens, from `Worker.run()`.

    One per peer, made with its first section: packets that come earlier are counted and dropped. `mtu`:
    largest datagram in bytes, UDP payload, at least 576; bitrates of all that is sent, bit/s. `max_frames`:
    how many frames of a section may wait for the event loop (and no more than 8 MiB of them); the oldest are
    dropped. `ConnectionError` from all methods once the peer is closed, `ValueError` if it has media already.
    """

    def __init__(
        self,
        peer: Peer,
        handler: MediaHandler,
        *,
        cname: str,
        mtu: int = 1200,
        min_bitrate: int = 30_000,
        start_bitrate: int = 300_000,
        max_bitrate: int | None = None,
        max_frames: int = 256,
    ) -> None: ...
    def set_section(
        self,
        section: int,
        *,
        mid: str,
        kind: str,
        receive: bool,
        send: bool,
        extensions: Mapping[str, int],
        formats: Sequence[Format],
        sources: Sequence[tuple[int, int | None]] = (),
        rids: Sequence[str] = (),
        send_format: Format | None = None,
        encodings: Sequence[Encoding] = (),
        reduced_size: bool = True,
        min_delay: float = 0.0,
        max_delay: float = 2.0,
        passthrough: bool = False,
    ) -> None:
        """`kind`: "audio" or "video". `extensions`: header extensions by URI; unknown ones are passed over.
        `formats`: what may be received. `sources`: (SSRC, RTX SSRC) told by the other end; `rids`: those that
        it sends. `passthrough`: frames come as soon as they are whole, without playout delay. `ValueError`
        for what contradicts another section or is out of range."""
    def remove_section(self, section: int) -> None:
        """Stopped: its streams say BYE. Nothing if it is not there."""
    def set_receiver(self, section: int, receiver: Callable[[EncodedFrame], object] | None) -> None:
        """Who takes the section's frames, from `Worker.run()`. None: they are dropped."""
    def send(
        self,
        section: int,
        encoding: int,
        frame: EncodedFrame,
        captured: float | None = None,
        *,
        timestamp: int | None = None,
    ) -> bool:
        """Sends one frame; the pacer may spread its packets over some milliseconds. `captured`: when it was
        taken, in seconds of the core's clock, for lip sync; None: now. `timestamp`: in the place of the
        frame's own. False while the section does not send or the encoding is inactive. `ValueError`: no such
        encoding, or not a frame of the section's codec."""
    def request_key_frame(self, section: int, encoding: int | None = None) -> None:
        """Sends a PLI (or FIR), at most as often as the back-off lets it. None: for all encodings."""
    def set_encoding(
        self, section: int, encoding: int, *, active: bool = True, max_bitrate: int | None = None
    ) -> None:
        """Changes one encoding without a negotiation. `max_bitrate` in bit/s; None: no limit. `ValueError`:
        no such encoding."""
    def set_bitrate(
        self,
        *,
        min_bitrate: int | None = None,
        start_bitrate: int | None = None,
        max_bitrate: int | None = None,
    ) -> None:
        """Limits of the whole connection, bit/s; None: as it was."""
    def set_delay(self, section: int, *, min_delay: float = 0.0, max_delay: float = 2.0) -> None:
        """Bounds of the jitter buffer's delay, seconds."""
    def stats(self) -> dict[str, Any]:
        """transport: the members of rt_media_stats (native/peer/media.h), `bandwidth` nested. inbound,
        outbound: lists of dicts with section, encoding, rid and the members of rt_receiver_stats and
        rt_sender_stats; times in seconds. now: the core's clock; wall: seconds since 1970 at that moment."""
